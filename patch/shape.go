package patch

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/aefeat/aefeat/model"
)

// Shape returns the shape of the patches, in the order in which they are
// stored, as far as the input tells it: the zero Shape where it does not, or
// not yet. Encoded images tell their own. Others come from the metadata of an
// arrow.fixed_shape_tensor, from the features that Hugging Face datasets
// describe in a schema, or from two or three levels of lists, whose sizes a row
// may have to show.
//
// Axes have the meaning that their names give them (H, W and C, or in words).
// Otherwise two are height and width. Three are height, width and channels, as
// the tensor's permutation orders them, or channels, height and width where
// only that makes a small number of channels.
func (b *Binding) Shape() model.Shape {
	if b.scalar || len(b.columns) == 0 || b.width == 0 {
		return model.Shape{}
	}
	if b.images.cells == images {
		return b.images.want.Shape
	}
	for _, t := range []tensor{b.columns[0].tensor, {Shape: b.dims}} {
		if slices.ContainsFunc(t.Shape, func(size int) bool { return size < 1 }) || product(t.Shape) != b.width {
			continue // metadata may leave sizes open, or be wrong
		}
		if s := model.ShapeOf(t.axes(), t.Shape); s != (model.Shape{}) {
			return s
		}
	}
	return model.Shape{}
}

// tensor is what metadata say of the axes of an array: the JSON of
// arrow.fixed_shape_tensor.
type tensor struct {
	Shape       []int    `json:"shape"` // as stored, the slowest axis first
	Names       []string `json:"dim_names"`
	Permutation []int    `json:"permutation"` // logical axis i is the stored axis Permutation[i]

	// Type is that of a feature of Hugging Face datasets; "": it is none.
	Type string `json:"_type"`
}

// imageFeature is the type of a feature whose structs of bytes and path are
// images.
const imageFeature = "Image"

// axes returns a letter for each stored axis, H, W or C; "" where there are
// none to tell.
func (t tensor) axes() string {
	if axes := t.named(); axes != "" {
		return axes
	}
	order := t.Permutation
	if len(order) == 0 {
		order = []int{0, 1, 2}[:min(3, len(t.Shape))]
	}
	if len(order) != len(t.Shape) {
		return ""
	}
	var letters string
	switch len(order) {
	case 2:
		letters = "HW"
	case 3:
		letters = "HWC"
	default:
		return ""
	}
	axes := make([]byte, len(order))
	for i, at := range order {
		if at < 0 || at >= len(axes) || axes[at] != 0 {
			return "" // no permutation
		}
		axes[at] = letters[i]
	}
	// Colours have 3 channels, with transparency 4.
	const few = 4
	if len(order) == 3 && t.Shape[order[0]] <= few && t.Shape[order[2]] > few {
		axes[order[0]], axes[order[1]], axes[order[2]] = 'C', 'H', 'W'
	}
	return string(axes)
}

// named returns the letters of axes that have names which everybody knows; ""
// where one has not.
func (t tensor) named() string {
	if len(t.Names) != len(t.Shape) {
		return ""
	}
	var axes string
	for _, name := range t.Names {
		letter := ""
		switch strings.ToLower(name) {
		case "h", "y", "height", "row", "rows":
			letter = "H"
		case "w", "x", "width", "column", "columns":
			letter = "W"
		case "c", "channel", "channels":
			letter = "C"
		}
		if letter == "" || strings.Contains(axes, letter) {
			return ""
		}
		axes += letter
	}
	if axes == "H" || axes == "W" || axes == "C" || len(axes) == 2 && strings.Contains(axes, "C") {
		return ""
	}
	return axes
}

// extensionOf returns the name and the metadata of a field's extension type,
// whether a program has registered it or not.
func extensionOf(f arrow.Field) (name, metadata string) {
	if t, ok := f.Type.(arrow.ExtensionType); ok {
		return t.ExtensionName(), t.Serialize()
	}
	name, _ = f.Metadata.GetValue(extensionNameKey)
	metadata, _ = f.Metadata.GetValue(extensionMetadataKey)
	return name, metadata
}

// arrayExtension reports the extension types of arrays of numbers. Others,
// such as UUID, JSON and geometry, mean something else.
func arrayExtension(name string) bool {
	switch name {
	case fixedShapeTensor, "arrow.variable_shape_tensor", // of Arrow
		"ray.data.arrow_tensor", "ray.data.arrow_tensor_v2", "ray.data.arrow_variable_shaped_tensor", // of Ray
		"daft.super_extension": // of Daft
		return true
	}
	return featureArray(name)
}

// featureArray reports the types of Array2D to Array5D, lists of lists, as
// Hugging Face datasets write them.
func featureArray(name string) bool {
	return strings.HasPrefix(name, "datasets.features.features.Array") && strings.HasSuffix(name, "DExtensionType")
}

// holdsTensor reports a struct of a tensor's values and of its sizes, as Arrow,
// Ray and Daft have it for tensors that differ in shape.
func holdsTensor(t *arrow.StructType) bool {
	data, ok := t.FieldByName("data")
	if !ok {
		return false
	}
	_, isList := data.Type.(arrow.ListLikeType)
	_, dims, ok := patchType(data.Type)
	return ok && isList && len(dims) == 1
}

// tensorOf reads the metadata of an extension type. What cannot be read says
// nothing of a shape.
func tensorOf(name, metadata string) (t tensor) {
	var into any
	switch {
	case name == fixedShapeTensor:
		into = &t
	case strings.HasPrefix(name, "ray.data.arrow_tensor"): // [28, 28]
		into = &t.Shape
	case featureArray(name): // [[28, 28], "uint8"]
		into = &[]any{&t.Shape}
	default:
		return t
	}
	if json.Unmarshal([]byte(metadata), into) != nil {
		return tensor{}
	}
	return t
}

// A feature is what Hugging Face datasets describe in the metadata of a schema:
// a column by an object with its shape, a struct, and all columns together, by
// their fields.
type feature struct {
	text   json.RawMessage
	fields map[string]*feature // nil: not looked into
}

const huggingFaceKey = "huggingface"

func featuresOf(schema *arrow.Schema) *feature {
	var all struct {
		Info struct {
			Features json.RawMessage `json:"features"`
		} `json:"info"`
	}
	text, _ := schema.Metadata().GetValue(huggingFaceKey)
	if json.Unmarshal([]byte(text), &all) != nil {
		return &feature{}
	}
	return &feature{text: all.Info.Features}
}

// field returns one of the fields, nil where there is none of the name.
func (f *feature) field(name string) *feature {
	if f.fields == nil {
		var texts map[string]json.RawMessage
		f.fields = map[string]*feature{}
		if json.Unmarshal(f.text, &texts) == nil {
			for name, text := range texts {
				f.fields[name] = &feature{text: text}
			}
		}
	}
	return f.fields[name]
}

// tensor returns what is said of a column, or of a field of structs.
func (f *feature) tensor(path []string) (t tensor) {
	for _, name := range path {
		if f = f.field(name); f == nil {
			return tensor{}
		}
	}
	if json.Unmarshal(f.text, &t) != nil {
		return tensor{}
	}
	return tensor{Shape: t.Shape, Type: t.Type}
}
