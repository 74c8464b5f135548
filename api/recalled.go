package api

import (
	"fmt"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"tianhai/api/auth"
	"tianhai/farm"
	"tianhai/trace/chain"
	"tianhai/trace/epcis/lineage"
)

// A recalledView is an event that an operator captured of what is recalled, or of what
// became of it.
type recalledView struct {
	Event    string    `json:"event"`
	Operator string    `json:"operator"`
	Name     farm.Text `json:"operator_name,omitzero"`
	Phone    string    `json:"operator_phone,omitempty"`
	Type     string    `json:"type"`
	BizStep  string    `json:"biz_step,omitempty"`
	At       time.Time `json:"at"`
	Of       []string  `json:"of"`
	Into     []string  `json:"into"`
	Lots     []string  `json:"lots"`  // lot numbers of the batches that it names
	Depth    int       `json:"depth"` // events away from them
}

// recalledMore says whether there are more events than are listed.
type recalledMore struct {
	More bool `json:"more,omitempty"`
}

// listRecalled lists what operators captured of what is recalled: who had it next, in
// their own words. Who sees a part of the recall only is told nothing of others.
func (s *server) listRecalled() listing[recalledView] {
	const more = "recalled.more"
	return listing[recalledView]{
		name: "captured", key: func(v recalledView) string { return fmt.Sprintf("%03d %s %s", v.Depth, v.Operator, v.Event) },
		read: func(c *gin.Context, _ page) ([]recalledView, error) {
			f, err := s.recall(c, auth.Read)
			if err != nil {
				return nil, err
			}
			l := s.looker(c)
			whole, _, err := l.reads(f.Recall)
			if err != nil || !whole {
				return nil, err
			}
			lots := map[string]string{}
			var batches []string
			for _, h := range f.Holdings {
				if !h.Cleared && lots[h.Batch] == "" {
					lots[h.Batch], batches = h.Lot, append(batches, h.Batch)
				}
			}
			links, left, err := s.Partners.Follow(c.Request.Context(), batches, chain.Down, who(c).Tenant)
			if err != nil {
				return nil, err
			}
			c.Set(more, left)
			return l.recalled(links, lots)
		},
		beside:  func(c *gin.Context, _ []recalledView) (any, error) { return recalledMore{c.GetBool(more)}, nil },
		besides: typeOf[recalledMore](),
	}
}

func (l *looker) recalled(links []lineage.Link, lots map[string]string) ([]recalledView, error) {
	views := make([]recalledView, len(links))
	for i, k := range links {
		t, err := l.tenant(k.Tenant)
		if err != nil {
			return nil, err
		}
		v := recalledView{k.Event, k.Tenant, t.Name, t.Phone, k.Type, k.BizStep, k.At, k.Of, k.Into, []string{}, k.Depth}
		for _, batch := range k.Batches {
			if lot := lots[batch]; lot != "" && !slices.Contains(v.Lots, lot) {
				v.Lots = append(v.Lots, lot)
			}
		}
		views[i] = v
	}
	return views, nil
}
