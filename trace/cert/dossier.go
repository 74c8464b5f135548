package cert

import (
	"fmt"
	"slices"
)

// A Dossier is everything that was said of one batch's tests and certificates,
// oldest first; what is void or replaced stays in it.
type Dossier struct {
	Reports      []Tested `json:"reports"`
	Certificates []Issued `json:"certificates"`
}

// Tested is a report and what became of it.
type Tested struct {
	Report
	CorrectedBy string `json:"corrected_by,omitempty"`
	Void        *Void  `json:"void,omitempty"`
}

// InForce reports whether the report holds.
func (t Tested) InForce() bool { return t.CorrectedBy == "" && t.Void == nil }

// Issued is a certificate and what became of it.
type Issued struct {
	Certificate
	Void *Void `json:"void,omitempty"`
}

// NewDossier brings together what was said, in the order in which it was.
func NewDossier(reports []Report, certificates []Certificate, voids []Void) Dossier {
	d := Dossier{Reports: []Tested{}, Certificates: []Issued{}}
	void := map[string]*Void{}
	for _, v := range voids {
		void[v.Voids] = &v
	}
	correction := map[string]string{}
	for _, r := range reports {
		if r.Corrects != "" {
			correction[r.Corrects] = r.ID
		}
	}
	for _, r := range reports {
		d.Reports = append(d.Reports, Tested{r, correction[r.ID], void[r.ID]})
	}
	for _, c := range certificates {
		d.Certificates = append(d.Certificates, Issued{c, void[c.ID]})
	}
	return d
}

// InForce returns the certificate that holds; nil where none does.
func (d Dossier) InForce() *Certificate {
	for _, c := range slices.Backward(d.Certificates) {
		if c.Void == nil {
			return &c.Certificate
		}
	}
	return nil
}

// A FailedError reports that a batch may have no certificate, because a test failed.
type FailedError struct {
	Report string // its ID
	Number string // and number
	Item   string // the first that failed; empty where only the whole did
}

func (e *FailedError) Error() string {
	return fmt.Sprintf("report %s says that the batch failed: %s", e.Number, e.Item)
}

// Failed returns the oldest failed test that holds; nil where there is none.
// 农产品质量安全法 art. 36: what failed is not sold.
func (d Dossier) Failed() error {
	for _, t := range d.Reports {
		if !t.InForce() || t.Verdict != Fail {
			continue
		}
		e := &FailedError{Report: t.ID, Number: t.Number}
		for _, i := range t.Items {
			if i.Verdict == Fail {
				e.Item = i.Name
				break
			}
		}
		return e
	}
	return nil
}

// Passed reports whether a test that holds has passed.
func (d Dossier) Passed() bool {
	return slices.ContainsFunc(d.Reports, func(t Tested) bool { return t.InForce() && t.Verdict == Pass })
}

// Support returns the IDs of the reports that a certificate's basis rests on, and
// refuses a basis that nothing stands behind: *FieldError. A test of one's own is a
// report without a laboratory, a commissioned one has a laboratory, whoever entered
// it; both must have passed.
func (d Dossier) Support(basis []Basis) ([]string, error) {
	var ids []string
	for i, b := range basis {
		if b == Control {
			continue
		}
		found := false
		for _, t := range d.Reports {
			if t.InForce() && t.Verdict == Pass && (t.Lab != "") == (b == Commissioned) {
				ids, found = append(ids, t.ID), true
			}
		}
		if !found {
			return nil, field(fmt.Sprintf("basis[%d]", i), "is %s, and no report of a passed test of that kind is here", b)
		}
	}
	return ids, nil
}
