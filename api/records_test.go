package api_test

import (
	"fmt"
	"testing"
)

// An inspector says what was found, corrects it and takes it back, and touches
// nothing that the farm said; nor does the farm touch that.
func TestInspections(t *testing.T) {
	w := newWorld()
	base, _ := serve(t, w)
	n := 0
	say := func(as, kind, corrects string) (id string, status int) {
		n++
		id = fmt.Sprintf("01JZ00000000000000000000S%d", n)
		op := fmt.Sprintf(`{"id":%q,"kind":%q,"at":"2026-07-01T03:00:00Z","corrects":%q}`, id, kind, corrects)
		status = client{t, base, as}.do("POST", "/sites/raft-1/operations", op).status
		sent := client{t, base, as}.do("POST", "/operations", `{"operations":[{"site":"raft-1",`+op[1:]+`]}`)
		var out struct {
			Outcomes []struct{ Outcome string }
		}
		sent.decode(t, &out)
		want(t, "the outbox thinks the same", status < 300, out.Outcomes[0].Outcome != "refused")
		return id, status
	}
	found, status := say("inspector", "supervise", "")
	want(t, "an inspection", 201, status)
	_, status = say("inspector-tea", "supervise", "")
	want(t, "of another region", 404, status)
	_, status = say("inspector", "feed", "")
	want(t, "what the farm says", 403, status)
	for _, who := range []string{"bureau", "farmer", "manager"} {
		_, status = say(who, "supervise", "")
		want(t, "an inspection by "+who, 403, status)
		_, status = say(who, "void", found)
		want(t, "taken back by "+who, 403, status)
		_, status = say(who, "feed", found)
		want(t, "replaced by "+who, 403, status)
	}
	_, status = say("inspector", "void", opID)
	want(t, "what the farm said, taken back by the inspector", 403, status)
	_, status = say("inspector", "supervise", opID)
	want(t, "what the farm said, replaced by the inspector", 403, status)
	_, status = say("inspector", "supervise", found)
	want(t, "corrected", 201, status)
	_, status = say("inspector", "void", found)
	want(t, "taken back", 201, status)
	_, status = say("admin", "supervise", "")
	want(t, "the administrator may do everything", 201, status)
}
