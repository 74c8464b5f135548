// Package complaint takes what consumers complain of to the producer and the
// authority that is responsible for it, and their answers back.
package complaint

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/oklog/ulid/v2"

	"tianhai/farm"
	"tianhai/trace/photo"
)

// Limits.
const (
	MinWords    = 5    // characters
	MaxWords    = 2000 // characters, of a complaint and of an answer
	MaxPlace    = 100  // characters
	MaxPhone    = 20   // digits, spaces, + and -
	MaxAnswers  = 50   // to a complaint
	MaxOfSource = 5    // complaints of one network address in a day
	MaxOfCode   = 50   // complaints about one code in a day
	MaxOfDay    = 2000 // complaints in a day

	MaxPicture = photo.MaxBytes // bytes

	// KeepPhone is how long a telephone number is kept at most.
	KeepPhone = 180 * 24 * time.Hour
)

// Kind is what a complaint is of.
type Kind string

// Kinds returns all of them.
func Kinds() []Kind { return []Kind{"quality", "illness", "counterfeit", "label", "other"} }

// State is how far a complaint has come.
type State string

// The states.
const (
	Received State = "received"
	Answered State = "answered"
	Closed   State = "closed"
)

// A Complaint is what a consumer complains of.
type Complaint struct {
	ID        string    `json:"id"` // ULID
	Reference string    `json:"-"`  // what the consumer looks it up by; nobody guesses it
	Code      string    `json:"code"`
	Batch     string    `json:"batch"`
	Tenant    string    `json:"tenant"`
	Region    string    `json:"region"` // of the batch's site, GB/T 2260
	Kind      Kind      `json:"kind"`
	Words     string    `json:"words"`
	Place     string    `json:"place,omitempty"` // where it was bought
	Phone     string    `json:"phone,omitempty"` // "" where none was given, and once it was deleted
	Photo     string    `json:"photo,omitempty"` // hash
	Language  string    `json:"language"`
	Received  time.Time `json:"received"`
	State     State     `json:"state"`
	Answers   []Answer  `json:"answers"`
}

// An Answer is what the producer or the authority says to a complaint.
type Answer struct {
	ID      string    `json:"id"` // ULID, the client's
	Words   string    `json:"words"`
	Closes  bool      `json:"closes"` // nothing more is to be done
	Office  Office    `json:"office"`
	Account string    `json:"account"`
	At      time.Time `json:"at"`
}

// Office is who answers.
type Office string

// The offices.
const (
	Producer Office = "producer"
	Bureau   Office = "bureau"
)

// A FieldError names what of a complaint or an answer cannot be taken.
type FieldError struct{ Field, Reason string }

func (e *FieldError) Error() string { return e.Field + ": " + e.Reason }

// A LimitError says that too many came in a day.
type LimitError struct{ Limit int }

func (e *LimitError) Error() string {
	return fmt.Sprintf("%d complaints came today, which is as many as are taken", e.Limit)
}

// Check returns a *FieldError for the first field that is wrong.
func (c Complaint) Check() error {
	if !slices.Contains(Kinds(), c.Kind) {
		return &FieldError{"kind", "is none of quality, illness, counterfeit, label, other"}
	}
	if err := checkWords(c.Words); err != nil {
		return err
	}
	if utf8.RuneCountInString(c.Place) > MaxPlace || !utf8.ValidString(c.Place) || strings.ContainsFunc(c.Place, unicode.IsControl) {
		return &FieldError{"place", fmt.Sprintf("is not a line of text of at most %d characters", MaxPlace)}
	}
	odd := func(r rune) bool { return !strings.ContainsRune("0123456789+- ", r) }
	if len(c.Phone) > MaxPhone || strings.ContainsFunc(c.Phone, odd) {
		return &FieldError{"phone", fmt.Sprintf("is no telephone number of at most %d digits, spaces, + and -", MaxPhone)}
	}
	return nil
}

func checkWords(s string) error {
	n := utf8.RuneCountInString(s)
	control := func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t' }
	if !utf8.ValidString(s) || strings.ContainsFunc(s, control) || n < MinWords || n > MaxWords {
		return &FieldError{"words", fmt.Sprintf("are not %d to %d characters of text", MinWords, MaxWords)}
	}
	return nil
}

// Store keeps complaints.
type Store interface {
	// AddComplaint stores one with the region of its batch's site, and returns it so.
	AddComplaint(ctx context.Context, c Complaint) (Complaint, error)
	// CountComplaints returns how many came since a time, and how many of them about a
	// code.
	CountComplaints(ctx context.Context, code string, since time.Time) (all, ofCode int, err error)
	ComplaintByReference(ctx context.Context, reference string) (Complaint, error) // farm.ErrNotFound
	// AddAnswer stores an answer; the same again is nothing new. farm.ErrNotFound, and
	// farm.ErrConflict where the complaint is closed, or another answer has the ID.
	AddAnswer(ctx context.Context, complaint string, a Answer) (Complaint, error)
	ErasePhone(ctx context.Context, complaint string) error
	// ErasePhones erases the numbers of complaints from before a time.
	ErasePhones(ctx context.Context, before time.Time) error
}

// Pictures keeps what consumers show.
type Pictures interface {
	// Keep keeps a picture without what it tells of who took it where; photo.ErrNoPicture,
	// photo.ErrTooLarge.
	Keep(raw []byte) (hash string, err error)
}

// A Service takes complaints and answers.
type Service struct {
	Store        Store
	Pictures     Pictures
	NewReference func() (string, error)
	// Came is told that there is a new one; it must not block. nil: nobody.
	Came func()

	sources sources
}

// Receive takes a complaint from a network address, of which it remembers only how
// many came from it today, and that in memory. ID, Reference and Received are not the
// caller's. Errors: *FieldError, *LimitError.
func (s *Service) Receive(ctx context.Context, c Complaint, picture []byte, address string) (Complaint, error) {
	c.Words, c.Place, c.Phone = strings.TrimSpace(c.Words), strings.TrimSpace(c.Place), strings.TrimSpace(c.Phone)
	if err := c.Check(); err != nil {
		return Complaint{}, err
	}
	now := time.Now()
	if err := s.room(ctx, c.Code, address, now); err != nil {
		return Complaint{}, err
	}
	var err error
	if len(picture) > 0 {
		c.Photo, err = s.Pictures.Keep(picture)
		if errors.Is(err, photo.ErrNoPicture) || errors.Is(err, photo.ErrTooLarge) {
			return Complaint{}, &FieldError{"photo", err.Error()}
		}
		if err != nil {
			return Complaint{}, err
		}
	}
	c.ID, c.Received, c.State = ulid.Make().String(), now, Received
	if c.Reference, err = s.NewReference(); err != nil {
		return Complaint{}, fmt.Errorf("reference of a complaint: %w", err)
	}
	if c, err = s.Store.AddComplaint(ctx, c); err != nil {
		return Complaint{}, err
	}
	if s.Came != nil {
		s.Came()
	}
	return c, nil
}

// room returns a *LimitError where there is none.
func (s *Service) room(ctx context.Context, code, address string, now time.Time) error {
	all, ofCode, err := s.Store.CountComplaints(ctx, code, now.Add(-24*time.Hour))
	switch {
	case err != nil:
		return err
	case ofCode >= MaxOfCode:
		return &LimitError{MaxOfCode}
	case all >= MaxOfDay:
		return &LimitError{MaxOfDay}
	case !s.sources.take(address, now):
		return &LimitError{MaxOfSource}
	}
	return nil
}

// Find returns the complaint that a consumer looks up, with its answers;
// farm.ErrNotFound.
func (s *Service) Find(ctx context.Context, reference string) (Complaint, error) {
	return s.Store.ComplaintByReference(ctx, reference)
}

// Forget erases the telephone number of a complaint.
func (s *Service) Forget(ctx context.Context, reference string) error {
	c, err := s.Store.ComplaintByReference(ctx, reference)
	if err != nil {
		return err
	}
	return s.Store.ErasePhone(ctx, c.ID)
}

// Answer adds what the producer or the authority says. Errors: *FieldError,
// farm.ErrConflict where the complaint is closed, and farm.ErrNotFound.
func (s *Service) Answer(ctx context.Context, complaint string, a Answer) (Complaint, error) {
	if _, err := ulid.ParseStrict(a.ID); err != nil {
		return Complaint{}, &FieldError{"id", "is not a ULID"}
	}
	a.Words = strings.TrimSpace(a.Words)
	if err := checkWords(a.Words); err != nil {
		return Complaint{}, err
	}
	a.At = time.Now()
	return s.Store.AddAnswer(ctx, complaint, a)
}

// Add returns the complaint with a further answer; farm.ErrConflict where it is closed
// or has MaxAnswers.
func (c Complaint) Add(a Answer) (Complaint, error) {
	if c.State == Closed || len(c.Answers) >= MaxAnswers {
		return c, farm.ErrConflict
	}
	c.Answers = append(slices.Clip(c.Answers), a)
	if c.State = Answered; a.Closes {
		c.State = Closed
	}
	return c, nil
}
