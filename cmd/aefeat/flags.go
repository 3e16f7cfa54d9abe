package main

import (
	"encoding"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/aefeat/aefeat/arrowio"
	"github.com/aefeat/aefeat/linear"
	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/stage"
)

// flag is all that there is to know about a flag. A new one is an entry of
// flagTable, which has its help, its default, its rules and the name that
// errors of the libraries use. Where field says so, its value reaches the
// settings of a fit.
type flag struct {
	of       string // the commands that have it, with spaces between
	name     string
	letter   string // what stands for the name after a single dash
	category string
	value    any    // the default, whose type is that of the flag: see cli
	text     string // of the default in help; "": the default itself
	usage    string

	// key is the field of a library's settings that the flag is about, the
	// name that errors give it. written is how a message writes the flag,
	// where that is more than its name.
	key     string
	written string

	bound bound // on the number that is given

	hidden bool // from help: an old name

	// resumes is whether it may stand beside --resume, and kept whether a
	// checkpoint keeps what was given, for a --resume beside which it does not
	// stand.
	resumes, kept bool

	// field returns where fit puts the value that is given; nil: the command
	// reads it by itself. To a library 0 may mean the default: where none is
	// set, it stands in for a 0 that is given.
	field func(*stage.Config) any
	none  int
}

// bound is what a number that is given may be.
type bound int

const (
	anyNumber     bound = iota
	positive            // a 0 would mean the default to a library
	positiveOrInf       // likewise, and infinity has a meaning
	notNegative
)

// costTerm is the value of a flag for a number in the cost, whose default is
// the objective's.
type costTerm struct{}

// The categories that --help lists flags under.
const (
	categoryOutput   = "Output"
	categoryModel    = "Model"
	categoryTraining = "Training"
	categoryPatches  = "Patches"
	categoryInput    = "Input"
	categoryMachine  = "Machine"
)

// hiveOff is the value of --hive that leaves paths without a meaning.
const hiveOff = "off"

// formatText says which format an output has without --format.
const formatText = "as the name ends (.parquet; .arrow or .feather; .arrows), else parquet"

// flagTable holds the flags of all commands. Help lists those of a category in
// this order.
var flagTable = []flag{
	{of: "fit", name: "output", letter: "o", category: categoryOutput, resumes: true, kept: true, value: "-", text: "standard output",
		usage: "write the model to `FILE`; it appears whole or not at all"},
	{of: "transform", name: "output", letter: "o", category: categoryOutput, value: "-", text: "standard output",
		usage: "write the rows with their features to `FILE`; it appears whole or not at all. FOLDER/, or a folder that is there: one output for each input"},
	{of: "transform", name: "skip-existing", category: categoryOutput, value: false,
		usage: "with -o FOLDER/, leave outputs that are there as they are, to go on after a failure"},
	{of: "patches", name: "output", letter: "o", category: categoryOutput, value: "-", text: "standard output",
		usage: "write the patches to `FILE`; it appears whole or not at all"},
	{of: "image-features", name: "output", letter: "o", category: categoryOutput, value: "-", text: "standard output",
		usage: "write a row for each image to `FILE`; it appears whole or not at all"},
	{of: "explain", name: "output", letter: "o", category: categoryOutput, value: "", text: "standard output; with --picture none",
		usage: "write the table to `FILE`, as Parquet; it appears whole or not at all"},
	{of: "report", name: "output", letter: "o", category: categoryOutput, value: "-", text: "standard output",
		usage: "write the page to `FILE`; it appears whole or not at all"},
	{of: "filters", name: "output", letter: "o", category: categoryOutput, value: "-", text: "standard output, with --json none",
		usage: "write the picture, a PNG, to `FILE`; it appears whole or not at all"},
	{of: "export", name: "output", letter: "o", category: categoryOutput, value: "-", text: "standard output",
		usage: "write the graph to `FILE`; it appears whole or not at all"},
	{of: "export", name: "onnx", category: categoryOutput, value: false,
		usage: "write ONNX, the only format that there is so far"},
	{of: "export", name: "input-type", category: categoryOutput, value: oneOf(typeOfModel, "uint8", "float32"),
		usage: "the type of the values that the graph takes; auto is that of the data which the model was fitted on. Values mean the same in each: a pixel of 255 is 255 as float32, too"},
	{of: "demo", name: "dir", category: categoryOutput, value: "aefeat-demo",
		usage: "`FOLDER` for everything that the demo writes"},
	{of: "filters", name: "json", category: categoryOutput, value: false,
		usage: "print a line of JSON for each model: of each unit norm, activation and how well a Gabor function describes it; the shares of oriented, local, near-twin and dead units"},
	{of: "filters", name: "part", category: categoryOutput, value: oneOf(partEncoder, partDecoder),
		usage: "what excites a unit, or what it adds to the reconstruction"},
	{of: "filters", name: "space", category: categoryOutput, value: oneOf(spaceModel, spaceInput),
		usage: "weights as the model has them, or in terms of the input, with preprocessing undone"},
	{of: "filters", name: "scale", category: categoryOutput, value: oneOf(scaleTile, scaleCommon),
		usage: "each unit at its own contrast, or all of all models at one"},
	{of: "filters", name: "order", category: categoryOutput, value: oneOf(orderIndex, orderNorm, orderActivation, orderFrequency),
		usage: "by number, the longest first, the most active first (needs DATA), or the coarsest first"},
	{of: "filters", name: "units", category: categoryOutput, value: []string(nil), text: "all",
		usage: "enlarge the units of these `NUMBERS`, from 0, a line for each model; models of equal seed and size start equal, so that a number is the same unit in all"},
	{of: "filters", name: "model", letter: "m", category: categoryModel, value: []string(nil),
		usage: "a model `FILE`, made by fit; repeat it for several, side by side"},

	{of: "evaluate probe", name: "json", category: categoryOutput, value: false,
		usage: "print one line of JSON"},
	{of: "inspect", name: "json", category: categoryOutput, value: false,
		usage: "print JSON"},
	{of: "fit", name: "emit", category: categoryOutput, resumes: true, kept: true, value: "",
		usage: "also write every input row with its features to `FILE`, as transform would"},
	{of: "fit transform patches image-features", name: "format", category: categoryOutput, resumes: true, kept: true, key: "Format",
		value: oneOf(string(arrowio.Parquet), string(arrowio.Arrow), string(arrowio.Stream)), text: formatText,
		usage: "format of the rows, an Arrow IPC file or an IPC stream"},
	{of: "fit transform", name: "layout", category: categoryOutput, resumes: true, kept: true, key: "Layout",
		value: oneOf(stage.LayoutColumns, stage.LayoutList, stage.LayoutArray, stage.LayoutSparse, stage.LayoutNone),
		usage: "one column for each hidden unit (code_000, code_001, ...), one fixed-size list of them, one list of variable length, two lists of what is not 0 (code_indices, code_values), or no codes"},
	{of: "fit transform image-features", name: "prefix", category: categoryOutput, resumes: true, kept: true, key: "Prefix", value: "code",
		usage: "`NAME` of the feature columns"},
	{of: "fit transform", name: "keep", category: categoryOutput, resumes: true, kept: true, key: "Keep", value: "all",
		usage: "input columns to keep: all, none or a list, `COLUMNS`"},
	{of: "fit transform", name: "reconstruction", category: categoryOutput, resumes: true, kept: true, key: "Reconstruction", value: false,
		usage: "add a list column, reconstruction: what the model makes of the row, in the space that preprocessing maps to"},
	{of: "fit transform", name: "score", category: categoryOutput, resumes: true, kept: true, key: "Score", value: false,
		usage: "add a column, score: the squared error of the reconstruction, of the squared loss twice what the row adds to the cost; large where a row is unlike those that the model was fitted on; of k-sparse with the codes that the features keep"},

	{of: "transform evaluate image-features explain report export sums statistics drive", name: "model", letter: "m", category: categoryModel, value: "",
		usage: "the model `FILE`, made by fit"},
	{of: "fit", name: "hidden", category: categoryModel, key: "Hidden", value: defaultHidden,
		field: func(c *stage.Config) any { return &c.Model.Hidden },
		usage: "`N` hidden units: the length of the code"},
	{of: "fit", name: "objective", category: categoryModel, key: "Objective", value: oneOf(model.Objectives()...),
		usage: "sets the terms of the cost"},
	{of: "fit", name: "sparsity", category: categoryModel, key: "Sparsity", value: costTerm{},
		field: func(c *stage.Config) any { return &c.Model.Sparsity },
		usage: "rho, the mean activation to aim for"},
	{of: "fit", name: "sparsity-weight", category: categoryModel, key: "SparsityWeight", value: costTerm{},
		field: func(c *stage.Config) any { return &c.Model.SparsityWeight },
		usage: "beta, the weight of the sparsity term"},
	{of: "fit", name: "weight-decay", category: categoryModel, key: "WeightDecay", value: costTerm{},
		field: func(c *stage.Config) any { return &c.Model.WeightDecay },
		usage: "lambda, the weight of the squared weights; of k-sparse by default 0.002 k/hidden times the variance of a row where that is less, for rows of small values and for many units"},
	{of: "fit", name: "contraction", category: categoryModel, key: "Contraction", value: costTerm{},
		field: func(c *stage.Config) any { return &c.Model.Contraction },
		usage: "gamma, the weight of the squared Jacobian of the code"},
	{of: "fit", name: "corruption", category: categoryModel, key: "Corruption", value: costTerm{},
		field: func(c *stage.Config) any { return &c.Model.Corruption },
		usage: "v, the share of a row that noise destroys in training; for gaussian its standard deviation"},
	{of: "fit", name: "k", category: categoryModel, key: "K", value: 0,
		text:  fmt.Sprintf("k-sparse: %d, at most a quarter", model.KSparse(defaultHidden).K),
		field: func(c *stage.Config) any { return &c.Model.K },
		usage: "keep the `N` largest codes of a row, by value and with their sign; mini-batches begin with four times as many; 0: all"},
	{of: "fit", name: "k-encode", category: categoryModel, key: "KEncode", value: costTerm{},
		field: func(c *stage.Config) any { return &c.Model.KEncode },
		usage: "alpha: the features keep alpha times k codes"},
	{of: "fit", name: "noise", category: categoryModel, key: "Noise", value: namesOf[model.Noise](),
		field: func(c *stage.Config) any { return &c.Model.Noise },
		usage: "form of the corruption"},
	{of: "fit", name: "emphasis", category: categoryModel, key: "Emphasis", value: 0., text: "1, all alike", bound: positiveOrInf,
		field: func(c *stage.Config) any { return (*float64)(&c.Model.Emphasis) },
		usage: "`ALPHA`, which multiplies the loss of what masking or salt-pepper has corrupted; inf: nothing else counts"},
	{of: "fit", name: "activation", category: categoryModel, key: "Activation", value: namesOf[model.Activation](),
		field: func(c *stage.Config) any { return &c.Model.Activation },
		usage: "of the hidden units; of k-sparse linear"},
	{of: "fit", name: "output-activation", category: categoryModel, key: "Output", value: namesOf[model.Activation](),
		field: func(c *stage.Config) any { return &c.Model.Output },
		usage: "of the reconstruction; of k-sparse, and after standardize and zca, linear"},
	{of: "fit", name: "loss", category: categoryModel, key: "Loss", value: namesOf[model.Loss](),
		field: func(c *stage.Config) any { return &c.Model.Loss },
		usage: "of the reconstruction"},
	{of: "fit", name: "tied", category: categoryModel, key: "Tied", value: false,
		field: func(c *stage.Config) any { return &c.Model.Tied },
		usage: "make the decoder the encoder transposed; k-sparse does unless --tied=false"},
	{of: "fit", name: "init", category: categoryModel, key: "Init", value: "",
		usage: "start from the weights, and but for the flags given from the settings, of this model `FILE`; epochs, rates and the optimizer begin anew (--resume goes on)"},
	{of: "fit", name: "seed", category: categoryModel, key: "Seed", value: uint64(0),
		field: func(c *stage.Config) any { return &c.Model.Seed },
		usage: "`NUMBER` that decides the initial weights, the noise and the order of rows"},

	{of: "fit", name: "optimizer", category: categoryTraining, key: "Optimizer", value: namesOf[model.Optimizer](),
		field: func(c *stage.Config) any { return &c.Train.Optimizer },
		usage: "how the gradient moves the weights; lbfgs takes all rows for each step"},
	{of: "fit", name: "learning-rate", category: categoryTraining, key: "LearningRate", value: 0., bound: positive,
		text: fmt.Sprintf("adam: %g, after --preprocess patch %g, with a sparsity term after zca %g; sgd: %g",
			model.DefaultAdamRate, model.DefaultPatchRate, model.DefaultWhitenedRate, model.DefaultSGDRate),
		field: func(c *stage.Config) any { return &c.Train.LearningRate },
		usage: "size of a step; in the second half of the epochs it falls linearly to 0, unless --batch-size is 0"},
	{of: "fit", name: "momentum", category: categoryTraining, key: "Momentum", value: model.DefaultMomentum, none: model.NoMomentum,
		field: func(c *stage.Config) any { return &c.Train.Momentum },
		usage: "of sgd, from 0 to below 1"},
	{of: "fit", name: "batch-size", category: categoryTraining, key: "BatchSize", value: 256, none: model.FullBatch, bound: notNegative,
		text:  fmt.Sprintf("256, with a sparsity term after zca %d; lbfgs: 0", model.DefaultWhitenedBatch),
		field: func(c *stage.Config) any { return &c.Train.BatchSize },
		usage: "`ROWS` for each step; 0: all rows, one step an epoch"},
	{of: "fit", name: "epochs", category: categoryTraining, resumes: true, key: "Epochs", value: stage.DefaultEpochs, none: stage.NoEpochs, bound: notNegative,
		text:  fmt.Sprintf("%d, lbfgs: %d", stage.DefaultEpochs, stage.DefaultIterations),
		field: func(c *stage.Config) any { return &c.Epochs },
		usage: "`N` times through the rows, for lbfgs at most N iterations; 0: none, write the initial model"},
	{of: "fit", name: "validation", category: categoryTraining, key: "Validation", value: 0., text: "0, none",
		field: func(c *stage.Config) any { return &c.Validation },
		usage: "`SHARE` of the rows to hold out, by lot for each: their cost is told after each epoch, and the best epoch's model is written"},
	{of: "fit", name: "validation-key", category: categoryTraining, key: "ValidationKey", value: "", text: "each row by itself",
		field: func(c *stage.Config) any { return &c.ValidationKey },
		usage: "hold out rows with equal values in this `COLUMN` together, such as patches of one image; the share is then one of its values"},
	{of: "fit", name: "patience", category: categoryTraining, key: "Patience", value: 0, text: "0, never stop early", bound: notNegative,
		field: func(c *stage.Config) any { return &c.Train.Patience },
		usage: "stop after `N` epochs in a row that did not lower the cost of the held-out rows; a heavy --sparsity-weight raises it for some epochs at first"},
	{of: "fit", name: "preprocess", category: categoryTraining, key: "Preprocess",
		value: choice{model.PreprocessScale, append(model.PreprocessMethods(), model.PreprocessAuto)},
		field: func(c *stage.Config) any { return &c.Preprocess },
		usage: "what becomes of pixels first: auto is scale for integers in 0 to 255 and floats in 0 to 1, else standardize, as the first --preprocess-rows rows decide; scale maps integers to [0, 1]; patch also takes each patch's mean off and maps to [0.1, 0.9]; standardize gives each input mean 0 and deviation 1; zca normalises contrast and whitens"},
	{of: "fit", name: "preprocess-rows", category: categoryTraining, key: "PreprocessRows", value: stage.DefaultPreprocessRows, bound: positive,
		field: func(c *stage.Config) any { return &c.PreprocessRows },
		usage: "with --epochs 1 or 0, the first `ROWS` that patch, standardize and zca learn from; with more epochs, or lbfgs, these learn from all rows. Those that decide what auto is"},
	{of: "fit", name: "zca-epsilon", category: categoryTraining, key: "ZCAEpsilon", value: 0., text: "0.1", bound: positive,
		field: func(c *stage.Config) any { return &c.ZCAEpsilon },
		usage: "what zca adds to the variances that it divides by"},
	{of: "fit", name: "no-contrast", category: categoryTraining, key: "NoContrast", value: false,
		field: func(c *stage.Config) any { return &c.NoContrast },
		usage: "leave the contrast of patches to zca as it is"},
	{of: "probe", name: "seed", category: categoryTraining, value: uint64(0),
		usage: "`NUMBER` that decides which rows are held out"},
	{of: "probe", name: "penalty", category: categoryTraining, key: "Penalty", value: 0., text: "the best on held-out training rows",
		usage: "`WEIGHT` of the squared weights"},
	{of: "probe", name: "iterations", category: categoryTraining, key: "Iterations", value: linear.DefaultIterations,
		usage: "`N` iterations at most"},

	{of: "probe", name: "label", category: categoryInput, key: "Label", value: "label",
		usage: "`COLUMN` of the labels: integers, strings or booleans"},
	{of: "probe", name: "features", category: categoryInput, key: "Columns", value: []string(nil), text: "code_* or code, as transform writes them",
		usage: "`COLUMNS` to read labels from, names or patterns; repeat it, or use commas, for several"},
	{of: "probe", name: "against", category: categoryInput, value: []string(nil),
		usage: "`COLUMNS` to compare the features with, such as the patch that they come from"},
	{of: "probe", name: "test", category: categoryInput, value: []string(nil), text: "a fifth of the rows is held out",
		usage: "`FILE` of rows to count errors on; repeat it for several"},
	{of: "fit", name: "column", category: categoryInput, kept: true, key: "Columns", value: []string(nil), text: "the one that can hold patches",
		usage: "`NAME` of the column with the patch, or a pattern such as 'pixel*'; repeat it, or use commas, for several"},
	{of: "transform evaluate filters explain report sums statistics", name: "column", category: categoryInput, key: "Columns", value: []string(nil), text: "the one that the model was fitted on",
		usage: "`NAME` of the column with the patch, or a pattern such as 'pixel*'; repeat it, or use commas, for several"},
	{of: "filters", name: "shape", category: categoryInput, value: "", text: "that of the model",
		usage: "`SHAPE` of a patch, such as 28x28, 6x6x3 or 32x32x3,CHW, in place of a guess"},
	{of: "fit", name: "units", category: categoryInput, key: "Units", value: 0, text: "as the metadata say", bound: positive,
		field: func(c *stage.Config) any { return &c.Units },
		usage: "how many units sparse codes are of, `N`, where a program has dropped the metadata that tell it"},
	{of: "probe", name: "units", category: categoryInput, key: "Units", value: 0, text: "as the metadata say", bound: positive,
		usage: "how many units sparse codes are of, `N`, where a program has dropped the metadata that tell it"},
	{of: "fit", name: "shape", category: categoryInput, key: "Shape", value: "", text: "what the input tells",
		field: func(c *stage.Config) any { return &c.Shape },
		usage: "`SHAPE` of a patch for pictures, height x width x channels, such as 28x28 or 6x6x3; 32x32x3,CHW if the values come one channel after the other"},
	{of: "fit transform evaluate filters explain report sums statistics", name: "pixel-max", category: categoryInput, kept: true, key: "PixelMax", value: 0., text: "by the type of the column", bound: positive,
		field: func(c *stage.Config) any { return &c.PixelMax },
		usage: "the largest pixel, `VALUE`, that scaling maps to 1"},
	{of: "fit transform evaluate probe filters explain report sums statistics", name: "on-bad-row", category: categoryInput, kept: true, key: "Skip", written: "--on-bad-row skip",
		value: oneOf("fail", "skip"),
		usage: "what to do with nulls, ragged rows, NaN, infinities and values out of range"},
	{of: "fit transform evaluate probe filters explain report inspect sums statistics", name: "allow-missing-eos", category: categoryInput, kept: true, key: "AllowMissingEOS", value: false,
		usage: "accept an IPC stream without its end marker, which may have been cut short"},

	// Of encoded images.
	{of: "fit transform evaluate probe filters explain report sums statistics", name: "grey", category: categoryInput, kept: true, key: "Grey", value: false, text: "colours stay; as the model was fitted",
		usage: "take the brightness alone of encoded images"},
	{of: "fit transform evaluate probe filters explain report sums statistics", name: "resize", category: categoryInput, kept: true, key: "Resize", value: "", text: "none; as the model was fitted",
		usage: "resample encoded images to `HEIGHTxWIDTH` pixels"},

	// What inspect tells of rows.
	{of: "inspect", name: "head", category: categoryOutput, value: 0, text: "0, none", bound: notNegative,
		usage: fmt.Sprintf("show the first `N` rows of data, %d at most, with lists and texts shortened", mostHead)},
	{of: "inspect", name: "stats", category: categoryOutput, value: false,
		usage: "read all rows, and tell of each column values, nulls, NaN, range, mean, deviation, how much is constant, and how often each label occurs"},

	// Of datasets of many files.
	{of: "fit transform evaluate probe filters explain report patches image-features inspect sums statistics", name: "hive", category: categoryInput, kept: true, key: "NoHive", written: "--hive off",
		value: oneOf("auto", hiveOff),
		usage: "make columns of the folders called key=value in the paths of files, or not"},

	{of: "fit", name: "memory", category: categoryMachine, resumes: true, kept: true, key: "Memory", value: size(stage.DefaultMemory), text: "1 GiB, or a quarter of what there is if that is less",
		field: func(c *stage.Config) any { return &c.Memory },
		usage: "`SIZE` of the memory that keeps rows, such as 256MiB or 4GiB"},
	{of: "fit", name: "spill-dir", category: categoryMachine, resumes: true, kept: true, key: "SpillDir", value: "", text: "beside the output, or $TMPDIR",
		usage: "`FOLDER` for rows that do not fit in memory and for a Parquet pipe"},
	{of: "transform evaluate probe filters explain report sums statistics", name: "spill-dir", category: categoryMachine, key: "SpillDir", value: "", text: "beside the output, or $TMPDIR",
		usage: "`FOLDER` for a Parquet pipe"},
	{of: "fit transform evaluate probe demo filters patches image-features explain report export inspect sums statistics merge drive average", name: "progress", category: categoryMachine, resumes: true,
		value: oneOf(progressAuto, progressBar, progressPlain, progressJSON, progressNone),
		usage: "how progress is shown on standard error; auto is a bar on a terminal, lines otherwise"},
	{of: "fit transform evaluate probe demo filters patches image-features explain report export inspect sums statistics merge drive average", name: "quiet", letter: "q", category: categoryMachine, resumes: true,
		value: false,
		usage: "print nothing on standard error but errors: no progress, report, note or warning"},

	// Of patches.
	{of: "patches", name: "keep", category: categoryOutput, key: "Keep", value: "none",
		usage: "columns of Parquet and Arrow to keep: all, none or a list, `COLUMNS`"},
	{of: "patches", name: "size", category: categoryPatches, key: "Channels", written: "--grey, or x3 in --size", value: "8x8",
		usage: "`HEIGHTxWIDTH` of a patch in pixels, and perhaps x1 for grey or x3 for colour; image: the whole image"},
	{of: "patches", name: "height", category: categoryPatches, value: 8, hidden: true,
		usage: "`PIXELS` from top to bottom of a patch"},
	{of: "patches", name: "width", category: categoryPatches, value: 0, hidden: true,
		usage: "`PIXELS` from left to right of a patch"},
	{of: "patches", name: "grey", category: categoryPatches, value: false,
		usage: "brightness alone instead of colours"},
	{of: "patches", name: "per-image", category: categoryPatches, value: 0, text: "all of the grid",
		usage: "cut `N` patches at random places of each image"},
	{of: "patches", name: "stride", category: categoryPatches, value: 0, text: "side by side", bound: positive,
		usage: "`PIXELS` from a patch of the grid to the next, right and down"},
	{of: "patches", name: "min-contrast", category: categoryPatches, value: 0.,
		usage: "leave out patches whose pixels have a smaller standard deviation, as a `SHARE` of the range"},
	{of: "patches", name: "whiten-images", category: categoryPatches, value: false,
		usage: "filter each whole image to a flat spectrum before cutting, as Olshausen and Field did"},
	{of: "patches", name: "seed", category: categoryPatches, value: uint64(0),
		usage: "`NUMBER` that decides, with the bytes of an image, its random places"},
	{of: "patches image-features", name: "list", category: categoryInput, value: []string(nil),
		usage: "read the names of more images from `FILE`, one a line; - is standard input; repeat it for several"},
	{of: "patches image-features", name: "column", category: categoryInput, key: "Column", value: "", text: "the one that can hold images",
		usage: "`NAME` of the column with the images in Parquet and Arrow"},
	{of: "patches image-features", name: "shape", category: categoryInput, key: "Shape", value: "", text: "as the file says",
		usage: "`HEIGHTxWIDTHxCHANNELS` of images that are rows of numbers; with one plane a channel 32x32x3,CHW"},
	{of: "patches image-features", name: "label-from", category: categoryInput, key: "Label", value: "", text: "none",
		usage: "where the column label comes from, `SOURCE`: folder (that the file is in), column:NAME, or file:PATH, an IDX file or CSV lines of name and label"},
	{of: "patches image-features", name: "on-bad-row", category: categoryInput, key: "Skip", written: "--on-bad-row skip", value: oneOf("fail", "skip"),
		usage: "what to do with images that cannot be read, or are too small"},

	// Of image-features.
	{of: "image-features", name: "layout", category: categoryOutput, key: "Layout",
		value: oneOf(stage.LayoutList, stage.LayoutColumns, stage.LayoutArray, stage.LayoutSparse),
		usage: "one fixed-size list of the features, one column for each (code_0000, code_0001, ...), one list of variable length, or two lists of what is not 0 (code_indices, code_values)"},
	{of: "image-features", name: "keep", category: categoryOutput, key: "Keep", value: "all",
		usage: "columns of Parquet and Arrow to keep beside the images: all, none or a list, `COLUMNS`"},
	{of: "image-features", name: "stride", category: categoryPatches, key: "Stride", value: 1, bound: positive,
		usage: "`PIXELS` from a patch to the next, right and down"},
	{of: "image-features", name: "pool", category: categoryPatches, key: "Method", value: oneOf(poolMethods()...),
		usage: "what a feature is of the codes of a unit in a cell; with sum it grows with the image"},
	{of: "image-features", name: "grid", category: categoryPatches, key: "Grid", value: "2x2",
		usage: "`ROWSxCOLUMNS` of cells that an image is parted into"},
	{of: "image-features", name: "split-sign", category: categoryPatches, key: "SplitSign", value: false,
		usage: "pool positive and negative codes apart, max(0, a) and max(0, -a), which makes twice as many features; for linear and tanh units"},
	{of: "image-features", name: "root", category: categoryPatches, value: false,
		usage: "take the square root of each feature, sign kept, which a linear classifier reads better"},
	{of: "image-features", name: "whiten-images", category: categoryPatches, value: false,
		usage: "filter each whole image to a flat spectrum first, as patches --whiten-images does"},
	{of: "image-features", name: "pixel-max", category: categoryInput, key: "PixelMax", value: 0., text: "by the type of the pixels", bound: positive,
		usage: "the largest pixel, `VALUE`, that scaling maps to 1"},

	// explain and report
	{of: "report", name: "label", category: categoryInput, key: "Label", value: "label", text: "label, where the input has it",
		usage: "`COLUMN` of labels for the classifier: integers, strings or booleans; '': no classifier"},
	{of: "report", name: "test", category: categoryInput, value: []string(nil), text: "a fifth of the rows is held out",
		usage: "`FILE` of rows to count the errors of the classifier on; repeat it for several"},
	{of: "explain", name: "picture", category: categoryOutput, value: "",
		usage: "draw the units and their best patches to `FILE`, as PNG"},
	{of: "explain", name: "top", category: categoryOutput, key: "Top", value: stage.DefaultTop, bound: positive,
		usage: "`N` rows for each unit"},
	{of: "explain", name: "keep", category: categoryOutput, key: "Keep", value: "", text: "image, row and column, where the input has them",
		usage: "`COLUMNS` of integers, strings or booleans to write beside each row; none: no columns"},

	// Checkpoints.
	{of: "fit", name: "checkpoint", category: categoryTraining, value: "", text: "none; with --resume its file", resumes: true,
		usage: "write a checkpoint to `FILE`, whole or not at all, after each epoch and as often as --checkpoint-every says: all that --resume needs, and a model that can be used as it is"},
	{of: "fit", name: "checkpoint-every", category: categoryTraining, key: "CheckpointEvery", value: period(stage.DefaultCheckpointEvery), resumes: true, kept: true,
		field: func(c *stage.Config) any { return &c.CheckpointEvery },
		usage: "`TIME` between two checkpoints within an epoch, such as 30s or 1h"},
	{of: "fit", name: "resume", category: categoryTraining, key: "Resume", value: "", text: "none", resumes: true,
		usage: "go on with the fit that wrote the checkpoint `FILE`, over the same rows and with the same settings, to the same model as if it had never been interrupted"},
	{of: "fit", name: "resume-other-kernels", category: categoryTraining, key: "OtherKernels", value: false, resumes: true,
		field: func(c *stage.Config) any { return &c.OtherKernels },
		usage: "let --resume go on where another kind of processor left off, to a model that differs in its last bits"},

	{of: "fit", name: "rows", category: categoryInput, kept: true, value: 0, text: "all", bound: positive,
		usage: "fit to the first `N` rows alone, to see what more rows gain; --emit writes features of all rows"},

	// Several models.
	{of: "fit", name: "sweep", category: categoryTraining, value: []string(nil), text: "one model",
		usage: "fit a model for each value of a flag, `NAME=VALUES`, such as hidden=64,196, to one reading of the rows; repeat it for all combinations. -o names a folder, where the models appear together, and a table is printed"},
	{of: "fit", name: "label", category: categoryInput, key: "Label", value: "", text: "none",
		usage: "with --sweep, `COLUMN` of labels: the table tells how well a linear classifier reads them from the codes, as 'aefeat report' finds out"},

	// Of several machines.
	{of: "sums merge", name: "output", letter: "o", category: categoryOutput, value: "-", text: "standard output",
		usage: "write the sums to `FILE`; it appears whole or not at all"},
	{of: "statistics", name: "output", letter: "o", category: categoryOutput, value: "-", text: "standard output",
		usage: "write what was gathered, or with --sums the model, to `FILE`; it appears whole or not at all"},
	{of: "average", name: "output", letter: "o", category: categoryOutput, value: "-", text: "standard output",
		usage: "write the average to `FILE`; it appears whole or not at all"},
	{of: "drive", name: "output", letter: "o", category: categoryOutput, value: "",
		usage: "write the model to `FILE`, and the point of each pass beside it, to FILE.pass-N; it appears whole or not at all"},
	{of: "sums", name: "of", category: categoryOutput, value: oneOf(ofGradient, ofEvaluation, ofCost),
		usage: "what the sums are for: a step of drive; evaluate --sums; or the cost of held-out rows, with noise as in training, for evaluate --sums, too"},
	{of: "sums statistics", name: "shard", category: categoryInput, value: 0, text: "none: it must be given", bound: notNegative,
		usage: "`NUMBER` of the shard, from 0 up"},
	{of: "sums", name: "first", category: categoryInput, value: 0, bound: notNegative,
		usage: "`NUMBER` of the first row in the data as a whole, which noise is drawn by"},
	{of: "sums", name: "row-column", category: categoryInput, value: "", text: "counted from --first on",
		usage: "`COLUMN` of integers with the numbers of the rows in the data as a whole"},
	{of: "sums statistics", name: "memory", category: categoryMachine, value: size(0), text: "what there is",
		usage: "`SIZE` of the memory that the program may take beside the input, such as 2GiB; less than the model and its sums need is an error"},
	{of: "sums", name: "epoch", category: categoryTraining, value: 0, text: "that of the point", bound: notNegative,
		usage: "`NUMBER` of the epoch that noise is drawn for"},
	{of: "evaluate statistics", name: "sums", category: categoryInput, value: "", text: "none",
		usage: "take what shards have gathered from `FILE`, in place of inputs"},
	{of: "merge drive", name: "shards", category: categoryInput, value: 0, text: "any, of drive it must be given", bound: positive,
		usage: "`NUMBER` of shards that there are; fewer, or others than 0 to NUMBER-1, are an error"},
	{of: "drive", name: "optimizer", category: categoryTraining, key: "Optimizer", value: oneOf("lbfgs", "adam", "sgd"),
		field: func(c *stage.Config) any { return &c.Train.Optimizer },
		usage: "lbfgs; or adam or sgd with a step for each pass"},
	{of: "drive", name: "learning-rate", category: categoryTraining, key: "LearningRate", value: 0., bound: positive,
		text:  "that of fit",
		field: func(c *stage.Config) any { return &c.Train.LearningRate },
		usage: "size of a step of adam or sgd"},
	{of: "drive", name: "momentum", category: categoryTraining, key: "Momentum", value: model.DefaultMomentum, none: model.NoMomentum,
		field: func(c *stage.Config) any { return &c.Train.Momentum },
		usage: "of sgd, from 0 to below 1"},
	{of: "drive", name: "epochs", category: categoryTraining, key: "Epochs", value: stage.DefaultIterations, none: stage.NoEpochs, bound: notNegative,
		field: func(c *stage.Config) any { return &c.Epochs },
		usage: "`N` iterations of lbfgs at most, or N steps"},
	{of: "drive", name: "checkpoint", category: categoryTraining, value: "", text: "none; with --resume its file",
		usage: "write a checkpoint to `FILE` before the first pass and after each"},
	{of: "drive", name: "resume", category: categoryTraining, value: "", text: "none",
		usage: "go on with the training that wrote the checkpoint `FILE`, to the same bytes"},

	// Provenance.
	{of: "fit transform evaluate", name: "report", category: categoryOutput, resumes: true, kept: true, value: "", text: "none",
		usage: "write a record of the run to `FILE`, as JSON: inputs and outputs with their SHA-256, settings, costs; it appears when all is done"},
}

// flagsOf returns the entries of a command.
func flagsOf(command string) []flag {
	var mine []flag
	for _, f := range flagTable {
		if slices.Contains(strings.Fields(f.of), command) {
			mine = append(mine, f)
		}
	}
	return mine
}

// cliFlags makes the flags of a command as the cli package takes them, with
// values of their own.
func cliFlags(command string) []cli.Flag {
	var made []cli.Flag
	for _, f := range flagsOf(command) {
		made = append(made, f.cli())
	}
	return made
}

func (f flag) cli() cli.Flag {
	var letters []string
	if f.letter != "" {
		letters = []string{f.letter}
	}
	switch v := f.value.(type) {
	case bool:
		return &cli.BoolFlag{Name: f.name, Aliases: letters, Category: f.category, DisableDefaultText: true, Usage: f.usage}
	case int:
		return &cli.IntFlag{Name: f.name, Hidden: f.hidden, Category: f.category, Value: v, DefaultText: f.text, Usage: f.usage}
	case uint64:
		return &cli.Uint64Flag{Name: f.name, Category: f.category, Value: v, DefaultText: f.text, Usage: f.usage}
	case float64:
		return &cli.Float64Flag{Name: f.name, Category: f.category, Value: v, DefaultText: f.text, Usage: f.usage}
	case costTerm:
		return &cli.Float64Flag{Name: f.name, Category: f.category, DefaultText: f.termDefault(), Usage: f.usage}
	case string:
		return &cli.StringFlag{Name: f.name, Aliases: letters, Category: f.category, Value: v, DefaultText: f.text, Usage: f.usage}
	case []string:
		return &cli.StringSliceFlag{Name: f.name, Aliases: letters, Category: f.category, DefaultText: f.text, Usage: f.usage}
	case period:
		return &cli.GenericFlag{Name: f.name, Category: f.category, Value: &v, Usage: f.usage}
	case size:
		return &cli.GenericFlag{Name: f.name, Category: f.category, Value: &v, DefaultText: f.text, Usage: f.usage}
	case choice:
		return &cli.GenericFlag{Name: f.name, Category: f.category, Value: &v, DefaultText: f.text, Usage: f.usage}
	}
	panic("a flag whose value is of no known type")
}

// termDefault says which objectives turn a term on, and how far.
func (f flag) termDefault() string {
	value := func(objective, preprocess string) float64 {
		var c stage.Config
		c.Model, _ = model.ForObjective(objective, 1, preprocess) // all of these are known
		return *f.field(&c).(*float64)
	}
	var on []string
	for _, name := range model.Objectives() {
		usual, whitened := value(name, ""), value(name, model.PreprocessZCA)
		if usual != 0 {
			on = append(on, fmt.Sprintf("%s: %g", name, usual))
		}
		if whitened != usual {
			on = append(on, fmt.Sprintf("%s after zca: %g", name, whitened))
		}
	}
	return strings.Join(on, ", ")
}

// checkBounds reports, as a usage error, the first number given that is out of
// the bounds of its flag.
func checkBounds(c *cli.Context) error {
	for _, f := range flagsOf(c.Command.Name) {
		if f.bound == anyNumber || !c.IsSet(f.name) {
			continue
		}
		var x float64
		switch f.value.(type) {
		case int:
			x = float64(c.Int(f.name))
		case float64:
			x = c.Float64(f.name)
		}
		switch {
		case f.bound == positive && !(x > 0 && x <= math.MaxFloat32), f.bound == positiveOrInf && !(x > 0):
			return usagef(c.Command.Name, "%s %v is not a positive number", spell(f.name), c.Value(f.name))
		case f.bound == notNegative && !(x >= 0):
			return usagef(c.Command.Name, "%s %v is negative", spell(f.name), c.Value(f.name))
		}
	}
	return nil
}

// readFields puts into config what the flags that were given say. Its errors
// are usage errors.
func readFields(c *cli.Context, config *stage.Config) error {
	for _, f := range flagsOf(c.Command.Name) {
		if f.field == nil || !c.IsSet(f.name) {
			continue
		}
		switch field := f.field(config).(type) {
		case *bool:
			*field = c.Bool(f.name)
		case *int:
			if *field = c.Int(f.name); *field == 0 {
				*field = f.none
			}
		case *float64:
			if *field = c.Float64(f.name); *field == 0 {
				*field = float64(f.none)
			}
		case *uint64:
			*field = c.Uint64(f.name)
		case *time.Duration:
			*field = max(1, time.Duration(*c.Generic(f.name).(*period))) // 0 would mean the default
		case *int64:
			*field = int64(*c.Generic(f.name).(*size))
		case *string:
			if _, ok := f.value.(choice); ok {
				*field = chosen(c, f.name)
			} else {
				*field = c.String(f.name)
			}
		case *model.Shape:
			var err error
			if *field, err = model.ParseShape(c.String(f.name)); err != nil {
				return usagef(c.Command.Name, "%s: %v", spell(f.name), err)
			}
		case encoding.TextUnmarshaler:
			if err := field.UnmarshalText([]byte(chosen(c, f.name))); err != nil {
				return usagef(c.Command.Name, "%v", err)
			}
		default:
			panic("a field of no known type for flag " + f.name)
		}
	}
	return nil
}
