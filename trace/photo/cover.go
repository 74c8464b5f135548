package photo

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"

	"golang.org/x/image/draw"
)

// Size of a cover in pixels. It stands first on a page for phones.
const (
	CoverWidth  = 640
	CoverHeight = 360
)

// MaxCover is the largest cover in bytes: what a slow 3G line of 400 kbit/s brings in
// half a second.
const MaxCover = 24 << 10

// Cover returns the middle of a picture as Public shows it, CoverWidth by CoverHeight, in
// MaxCover at most. It is made once and kept. farm.ErrNotFound.
func (s *Shelf) Cover(hash string) ([]byte, error) {
	public, err := s.Public(hash)
	if err != nil {
		return nil, err
	}
	return s.keep(s.file(hash)+".cover.jpg", func() ([]byte, error) { return cover(public) })
}

func cover(raw []byte) ([]byte, error) {
	picture, _, err := image.Decode(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("draw cover: %w", err)
	}
	out := image.NewRGBA(image.Rect(0, 0, CoverWidth, CoverHeight))
	draw.CatmullRom.Scale(out, out.Bounds(), picture, middle(picture.Bounds()), draw.Src, nil)
	for quality := 80; ; quality -= 10 {
		var b bytes.Buffer
		if err := jpeg.Encode(&b, out, &jpeg.Options{Quality: quality}); err != nil {
			return nil, fmt.Errorf("draw cover: %w", err)
		}
		if b.Len() <= MaxCover || quality <= 10 {
			return b.Bytes(), nil
		}
	}
}

// middle is the largest part of a picture in the shape of a cover, from its middle.
func middle(all image.Rectangle) image.Rectangle {
	w, h := all.Dx(), all.Dy()
	if w*CoverHeight > h*CoverWidth {
		w = max(1, h*CoverWidth/CoverHeight)
	} else {
		h = max(1, w*CoverHeight/CoverWidth)
	}
	corner := all.Min.Add(image.Pt((all.Dx()-w)/2, (all.Dy()-h)/2))
	return image.Rectangle{Min: corner, Max: corner.Add(image.Pt(w, h))}
}
