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

// ThumbSide is how wide and high a thumbnail is, in pixels: one of 96 on a phone with two
// dots in each.
const ThumbSide = 192

// MaxThumb is the largest thumbnail in bytes.
const MaxThumb = 8 << 10

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
	return s.keep(s.file(hash)+".cover.jpg", func() ([]byte, error) { return rendition(public, CoverWidth, CoverHeight, MaxCover) })
}

// Thumb returns the middle of a picture as Public shows it, ThumbSide wide and high, in
// MaxThumb at most. It is made once and kept. farm.ErrNotFound.
func (s *Shelf) Thumb(hash string) ([]byte, error) {
	public, err := s.Public(hash)
	if err != nil {
		return nil, err
	}
	return s.keep(s.file(hash)+".thumb.jpg", func() ([]byte, error) { return rendition(public, ThumbSide, ThumbSide, MaxThumb) })
}

// rendition draws the middle of a picture anew, of a size in pixels and of so many bytes
// at most.
func rendition(raw []byte, width, height, most int) ([]byte, error) {
	picture, _, err := image.Decode(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("draw small copy: %w", err)
	}
	out := image.NewRGBA(image.Rect(0, 0, width, height))
	draw.CatmullRom.Scale(out, out.Bounds(), picture, middle(picture.Bounds(), width, height), draw.Src, nil)
	for quality := 80; ; quality -= 10 {
		var b bytes.Buffer
		if err := jpeg.Encode(&b, out, &jpeg.Options{Quality: quality}); err != nil {
			return nil, fmt.Errorf("draw small copy: %w", err)
		}
		if b.Len() <= most || quality <= 10 {
			return b.Bytes(), nil
		}
	}
}

// middle is the largest part of a picture in the shape of width by height, from its
// middle.
func middle(all image.Rectangle, width, height int) image.Rectangle {
	w, h := all.Dx(), all.Dy()
	if w*height > h*width {
		w = max(1, h*width/height)
	} else {
		h = max(1, w*height/width)
	}
	corner := all.Min.Add(image.Pt((all.Dx()-w)/2, (all.Dy()-h)/2))
	return image.Rectangle{Min: corner, Max: corner.Add(image.Pt(w, h))}
}
