package trace

import (
	"encoding/json"
	"fmt"

	"tianhai/trace/cert"
)

// The kinds of Record that tell of a batch's tests and certificates. Their subject is
// the ID of what they say or take back.
const (
	ReportRecord      = "report"
	CertificateRecord = "certificate"
	VoidRecord        = "void"
)

// A Statement is what such a Record says: one of its three.
type Statement struct {
	Report      *cert.Report
	Certificate *cert.Certificate
	Void        *cert.Void
}

// ReadStatement reads a record's sealed body, with the personal data that it commits
// to and that were not erased. A body that is about something else than the record
// is an error.
func ReadStatement(rec Record) (Statement, error) {
	var s Statement
	var into any
	switch rec.Kind {
	case ReportRecord:
		s.Report = new(cert.Report)
		into = s.Report
	case CertificateRecord:
		s.Certificate = new(cert.Certificate)
		into = s.Certificate
	case VoidRecord:
		s.Void = new(cert.Void)
		into = s.Void
	default:
		return Statement{}, fmt.Errorf("read statement %s: its kind is %s", rec.ID, rec.Kind)
	}
	if err := json.Unmarshal(rec.Body, into); err != nil {
		return Statement{}, fmt.Errorf("read %s %s: %w", rec.Kind, rec.ID, err)
	}
	if s.subject() != rec.Subject {
		return Statement{}, fmt.Errorf("read %s %s: the sealed body is about another one", rec.Kind, rec.ID)
	}
	if c := s.Certificate; c != nil {
		if err := disclose(c.PersonalFields(), c.Personal, rec.Personal); err != nil {
			return Statement{}, fmt.Errorf("read %s %s: %w", rec.Kind, rec.ID, err)
		}
	}
	return s, nil
}

func (s Statement) subject() string {
	switch {
	case s.Report != nil:
		return s.Report.ID
	case s.Certificate != nil:
		return s.Certificate.ID
	default:
		return s.Void.Voids
	}
}

// ReadDossier brings together the records of one batch's tests and certificates,
// oldest first.
func ReadDossier(records []Record) (cert.Dossier, error) {
	var reports []cert.Report
	var certificates []cert.Certificate
	var voids []cert.Void
	for _, rec := range records {
		s, err := ReadStatement(rec)
		switch {
		case err != nil:
			return cert.Dossier{}, err
		case s.Report != nil:
			reports = append(reports, *s.Report)
		case s.Certificate != nil:
			certificates = append(certificates, *s.Certificate)
		default:
			voids = append(voids, *s.Void)
		}
	}
	return cert.NewDossier(reports, certificates, voids), nil
}
