package photo

import (
	"bytes"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/bep/imagemeta"

	"tianhai/farm"
)

// A Claim is what a camera wrote into a picture. Whoever holds a picture can write
// anything there: it is kept as claimed, and proves nothing.
type Claim struct {
	Taken    time.Time      // zero where it does not say
	Position *farm.Position // nil where it does not say
}

// The tags that are read: Exif 2.32 §4.6.5 and §4.6.6.
const (
	tagTaken     = "DateTimeOriginal"
	tagOffset    = "OffsetTimeOriginal"
	tagLatitude  = "GPSLatitude"
	tagLongitude = "GPSLongitude"
	tagNorth     = "GPSLatitudeRef"
	tagEast      = "GPSLongitudeRef"
)

// exifTime is how Exif writes a time.
const exifTime = "2006:01:02 15:04:05"

// ReadClaim returns what the camera says of a picture; nothing where the bytes are
// none, or say nothing that can be. A time without a zone is Beijing's, in which
// farmers here set their phones.
func ReadClaim(raw []byte) Claim {
	format, ok := map[string]imagemeta.ImageFormat{
		"image/jpeg": imagemeta.JPEG, "image/png": imagemeta.PNG, "image/webp": imagemeta.WebP,
	}[http.DetectContentType(raw)]
	if !ok {
		return Claim{}
	}
	said := map[string]any{}
	// What was read before something could not be is as good as ever.
	_ = imagemeta.Decode(imagemeta.Options{
		R: bytes.NewReader(raw), ImageFormat: format, Sources: imagemeta.EXIF, LimitNumTags: 1000, LimitTagSize: 10_000,
		ShouldHandleTag: func(tag imagemeta.TagInfo) bool {
			switch tag.Tag {
			case tagTaken, tagOffset, tagLatitude, tagLongitude, tagNorth, tagEast:
				return true
			}
			return false
		},
		HandleTag: func(tag imagemeta.TagInfo) error {
			said[tag.Tag] = tag.Value
			return nil
		},
	})
	return Claim{Taken: taken(said), Position: position(said)}
}

func taken(said map[string]any) time.Time {
	zone := time.FixedZone("UTC+8", 8*60*60)
	if at, err := time.Parse("-07:00", text(said[tagOffset])); err == nil {
		zone = at.Location()
	}
	at, err := time.ParseInLocation(exifTime, text(said[tagTaken]), zone)
	if err != nil || at.Year() < 1990 {
		return time.Time{}
	}
	return at.UTC()
}

func position(said map[string]any) *farm.Position {
	lat, lon := degrees(said[tagLatitude], text(said[tagNorth]) == "S"), degrees(said[tagLongitude], text(said[tagEast]) == "W")
	// Written so that NaN fails it too.
	if !(math.Abs(lat) <= 90 && math.Abs(lon) <= 180) || lat == 0 && lon == 0 {
		return nil // 0, 0 is what cameras write that do not know
	}
	return &farm.Position{Longitude: lon, Latitude: lat}
}

func text(v any) string {
	s, _ := v.(string)
	return strings.Trim(s, "\x00 ")
}

// degrees reads what the library makes of three rationals; NaN where it is none.
func degrees(v any, negative bool) float64 {
	d, ok := v.(float64)
	switch {
	case !ok:
		return math.NaN()
	case negative:
		return -math.Abs(d)
	}
	return d
}
