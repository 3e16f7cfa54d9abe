package imagery_test

import (
	"math"
	"testing"

	"github.com/aefeat/aefeat/imagery"
)

// whitened are pictures of bytes (37 i^2 + 11) mod 256, whitened by NumPy; see
// testdata/whiten.py.
var whitened = []struct {
	shape imagery.Shape
	want  []float32
}{
	{imagery.Shape{Height: 4, Width: 6, Channels: 1}, []float32{
		-0.571374, -0.576647, 0.137122, 0.11308, 0.0269907, 0.0286245, -0.275552, -0.62608, -0.179082, -0.0173655, -0.242276, 0.011385, 0.618562, -0.110352, -0.0391771, 0.115918, -0.27335, 0.310477, 0.310384, -0.0682173, 0.346453, 0.416456, 0.159217, 0.384805,
	}},
	{imagery.Shape{Height: 7, Width: 3, Channels: 1}, []float32{
		-0.307522, -0.381809, 0.250481, -0.224578, -0.165335, 0.252971, -0.164709, -0.329031, -0.100162, 0.369243, 0.0140584, 0.0179375, 0.446031, -0.0941697, 0.0722063, 0.127241, -0.609329, 0.156316, 0.505996, -0.407011, 0.571175,
	}},
	{imagery.Shape{Height: 3, Width: 2, Channels: 3}, []float32{
		-0.678174, -0.0300601, 0.157055, -0.589177, -0.00614989, 0.265395, 0.0237056, 0.0562488, -0.372207, 0.121134, 0.0885913, -0.255434, 0.529081, -0.0539461, 0.0399927, 0.59343, -0.054684, 0.165197,
	}},
}

func TestWhiten(t *testing.T) {
	for _, c := range whitened {
		p := &imagery.Picture{Shape: c.shape, Bytes: make([]uint8, c.shape.Len())}
		q := &imagery.Picture{Shape: c.shape, Floats: make([]float32, c.shape.Len())}
		for i := range p.Bytes {
			p.Bytes[i] = uint8(37*i*i + 11)
			q.Floats[i] = 1e-3 * float32(p.Bytes[i]) // another unit changes nothing
		}
		for _, from := range []*imagery.Picture{p, q} {
			got := from.Whiten()
			if got.Shape != c.shape || got.Check() != nil || got.Bytes != nil {
				t.Fatalf("%v: %v, %v", c.shape, got.Shape, got.Check())
			}
			var squares float64
			for i, v := range got.Floats {
				if math.Abs(float64(v-c.want[i])) > 1e-5 {
					t.Errorf("%v: value %d is %v, want %v", c.shape, i, v, c.want[i])
				}
				squares += float64(v) * float64(v)
			}
			if v := squares / float64(len(got.Floats)); math.Abs(v-imagery.WhitenVariance) > 1e-6 {
				t.Errorf("%v: variance %v", c.shape, v)
			}
		}
	}
}

// A picture of one value has no contrast that could be scaled up.
func TestWhitenFlat(t *testing.T) {
	p := &imagery.Picture{Shape: imagery.Shape{Height: 7, Width: 12, Channels: 3}, Bytes: make([]uint8, 7*12*3)}
	for i := range p.Bytes {
		p.Bytes[i] = 173
	}
	for i, v := range p.Whiten().Floats {
		if v != 0 {
			t.Fatalf("value %d is %v", i, v)
		}
	}
}
