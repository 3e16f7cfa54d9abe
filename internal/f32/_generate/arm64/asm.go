package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"math"
	"strings"
)

// A gp is a general register. R16 to R18 and R26 to R31 belong to the linker,
// the system, the assembler and the runtime.
type gp int

func (r gp) String() string { return fmt.Sprintf("R%d", int(r)) }

// A vec is a vector register, of 4 floats unless said otherwise.
type vec int

func (v vec) String() string { return fmt.Sprintf("V%d", int(v)) }

// Registers that are set where a kernel uses what they point to.
const (
	constantsAt = gp(25) // the table of constants
	masksAt     = gp(24) // the masks of a step's elements
)

// An assembler writes one kernel after the other.
type assembler struct {
	text, stubs strings.Builder
	constants   []uint32

	// Of the kernel that is being written:
	name, signature string
	arguments       map[string]int // and the offsets of their parts
	argumentBytes   int
	code            strings.Builder
	frame, labels   int
	usesConstants   bool
	usesMasks       bool
	usedGP          map[gp]bool
	usedVec         map[vec]bool
}

// kernel writes the kernel name, which does what the plain one does unless doc
// says something else.
func (a *assembler) kernel(name, signature string, doc []string, write func()) {
	a.name, a.signature = name+"NEON", signature
	a.code.Reset()
	a.frame, a.usesConstants, a.usesMasks = 0, false, false
	a.usedGP, a.usedVec = map[gp]bool{}, map[vec]bool{}
	a.parse(signature)
	write()
	if doc == nil {
		doc = []string{a.name + " is " + name + "Plain."}
	}
	for _, line := range doc {
		fmt.Fprintf(&a.stubs, "// %s\n", line)
	}
	fmt.Fprintf(&a.stubs, "//\n//go:noescape\nfunc %s%s\n\n", a.name, strings.TrimPrefix(signature, "func"))
	fmt.Fprintf(&a.text, "// func %s%s\nTEXT ·%s(SB), NOSPLIT, $%d-%d\n", a.name, strings.TrimPrefix(signature, "func"), a.name, a.frame, a.argumentBytes)
	if a.usesConstants {
		fmt.Fprintf(&a.text, "\tMOVD $constants<>(SB), %v\n", constantsAt)
	}
	if a.usesMasks {
		fmt.Fprintf(&a.text, "\tMOVD $masks<>(SB), %v\n", masksAt)
	}
	fmt.Fprintf(&a.text, "%s\tRET\n\n", &a.code)
}

// parse lays the arguments out as Go's stack frames do: what a slice x holds
// is x_base, x_len and x_cap.
func (a *assembler) parse(signature string) {
	expression, err := parser.ParseExpr(signature)
	if err != nil {
		panic(err)
	}
	a.arguments = map[string]int{}
	offset := 0
	place := func(name string, size int) {
		offset = (offset + size - 1) / size * size
		a.arguments[name] = offset
		offset += size
	}
	sizes := map[string]int{"int": 8, "int32": 4, "uint32": 4, "float32": 4, "bool": 1}
	function := expression.(*ast.FuncType)
	for _, field := range function.Params.List {
		for _, name := range field.Names {
			switch kind := field.Type.(type) {
			case *ast.ArrayType:
				for _, part := range []string{"_base", "_len", "_cap"} {
					place(name.Name+part, 8)
				}
			case *ast.StarExpr:
				place(name.Name, 8)
			case *ast.Ident:
				place(name.Name, sizes[kind.Name])
			}
		}
	}
	if function.Results != nil {
		offset = (offset + 7) &^ 7
		place("ret", sizes[function.Results.List[0].Type.(*ast.Ident).Name])
	}
	a.argumentBytes = offset
}

// argument is how the code names an argument, or a part of one.
func (a *assembler) argument(name string) string {
	offset, ok := a.arguments[name]
	if !ok {
		panic(a.name + " has no " + name)
	}
	return fmt.Sprintf("%s+%d(FP)", name, offset)
}

// emit writes one line of Go's assembly.
func (a *assembler) emit(format string, values ...any) {
	fmt.Fprintf(&a.code, "\t"+format+"\n", values...)
}

// label returns a label that the kernel has not used.
func (a *assembler) label(name string) string {
	a.labels++
	return fmt.Sprintf("%s%d", name, a.labels)
}

func (a *assembler) place(label string) { fmt.Fprintf(&a.code, "%s:\n", label) }

// gp returns a free general register.
func (a *assembler) gp() gp {
	for r := gp(0); r < masksAt; r++ {
		if (r < 16 || r > 18) && !a.usedGP[r] {
			a.usedGP[r] = true
			return r
		}
	}
	panic(a.name + ": no general register left")
}

// vec returns a free vector register.
func (a *assembler) vec() vec {
	for v := range vec(32) {
		if !a.usedVec[v] {
			a.usedVec[v] = true
			return v
		}
	}
	panic(a.name + ": no vector register left")
}

func (a *assembler) free(registers ...vec) {
	for _, v := range registers {
		delete(a.usedVec, v)
	}
}

// scope frees the vector registers that write has taken.
func (a *assembler) scope(write func()) {
	before := map[vec]bool{}
	for v := range a.usedVec {
		before[v] = true
	}
	write()
	a.usedVec = before
}

func (a *assembler) base(name string) gp   { return a.integer(name + "_base") }
func (a *assembler) length(name string) gp { return a.integer(name + "_len") }

// integer returns a register that holds an argument of 8 bytes.
func (a *assembler) integer(name string) gp {
	r := a.gp()
	a.emit("MOVD %s, %v", a.argument(name), r)
	return r
}

// broadcast returns a register full of a float32 argument.
func (a *assembler) broadcast(name string) vec {
	v := a.vec()
	a.emit("FMOVS %s, F%d", a.argument(name), v)
	a.emit("VDUP %v.S[0], %v.S4", v, v)
	return v
}

// bits returns a register full of a 32-bit constant.
func (a *assembler) bits(b uint32) vec {
	a.usesConstants = true
	at := 0
	for at < len(a.constants) && a.constants[at] != b {
		at++
	}
	if at == len(a.constants) {
		a.constants = append(a.constants, b)
	}
	v := a.vec()
	a.load(v, constantsAt, 16*at)
	return v
}

func (a *assembler) constant(x float32) vec { return a.bits(math.Float32bits(x)) }

// with runs f with a constant in a register, which is free afterwards.
func (a *assembler) with(x float32, f func(v vec)) {
	v := a.constant(x)
	f(v)
	a.free(v)
}

func (a *assembler) zero() vec {
	v := a.vec()
	a.emit("VEOR %v.B16, %v.B16, %v.B16", v, v, v)
	return v
}

func (a *assembler) copy(x vec) vec {
	v := a.vec()
	a.emit("VMOV %v.B16, %v.B16", x, v)
	return v
}

func (a *assembler) load(v vec, p gp, offset int)  { a.emit("FMOVQ %d(%v), F%d", offset, p, v) }
func (a *assembler) store(v vec, p gp, offset int) { a.emit("FMOVQ F%d, %d(%v)", v, offset, p) }

// fmla adds x y to sum, fmls subtracts it.
func (a *assembler) fmla(sum, x, y vec) { a.emit("VFMLA %v.S4, %v.S4, %v.S4", y, x, sum) }
func (a *assembler) fmls(sum, x, y vec) { a.emit("VFMLS %v.S4, %v.S4, %v.S4", y, x, sum) }

func (a *assembler) and(d, x, y vec) { a.emit("VAND %v.B16, %v.B16, %v.B16", y, x, d) }
func (a *assembler) xor(d, x, y vec) { a.emit("VEOR %v.B16, %v.B16, %v.B16", y, x, d) }

// insert copies those bits of x to d that are set in mask.
func (a *assembler) insert(d, x, mask vec) { a.emit("VBIT %v.B16, %v.B16, %v.B16", mask, x, d) }

// instructions are those that Go's assembler does not know, with 0 for all
// registers. The Arm Architecture Reference Manual, C7.2, gives them: the
// destination is in bits 0 to 4, the first source in 5 to 9, the second, where
// there is one, in 16 to 20.
var instructions = map[string]struct {
	word     uint32
	operands string // as GNU's assembler writes them
}{
	"FADD":     {0x4e20d400, "v%d.4s, v%d.4s, v%d.4s"},
	"FSUB":     {0x4ea0d400, "v%d.4s, v%d.4s, v%d.4s"},
	"FMUL":     {0x6e20dc00, "v%d.4s, v%d.4s, v%d.4s"},
	"FDIV":     {0x6e20fc00, "v%d.4s, v%d.4s, v%d.4s"},
	"FMAX":     {0x4e20f400, "v%d.4s, v%d.4s, v%d.4s"}, // NaN if either is
	"FMIN":     {0x4ea0f400, "v%d.4s, v%d.4s, v%d.4s"},
	"FCMGT":    {0x6ea0e400, "v%d.4s, v%d.4s, v%d.4s"}, // false for NaN
	"SMAX":     {0x4ea06400, "v%d.4s, v%d.4s, v%d.4s"},
	"CMGE":     {0x4ea03c00, "v%d.4s, v%d.4s, v%d.4s"},
	"BIC":      {0x4e601c00, "v%d.16b, v%d.16b, v%d.16b"},
	"FADD.2D":  {0x4e60d400, "v%d.2d, v%d.2d, v%d.2d"},
	"FABS":     {0x4ea0f800, "v%d.4s, v%d.4s"},
	"FNEG":     {0x6ea0f800, "v%d.4s, v%d.4s"},
	"FSQRT":    {0x6ea1f800, "v%d.4s, v%d.4s"},
	"UCVTF":    {0x6e21d800, "v%d.4s, v%d.4s"},
	"FCVTL.2D": {0x0e617800, "v%d.2d, v%d.2s"},
	"FCVTL2":   {0x4e617800, "v%d.2d, v%d.4s"},
	"FCVTL.4S": {0x0e217800, "v%d.4s, v%d.4h"},
	"SSHR":     {0x4f210400, "v%d.4s, v%d.4s, #31"},
	"SHRN":     {0x0f0c8400, "v%d.8b, v%d.8h, #4"},
}

// op writes one of the instructions.
func (a *assembler) op(name string, d vec, sources ...vec) {
	i, ok := instructions[name]
	if !ok {
		panic("no instruction " + name)
	}
	word, registers := i.word|uint32(d), []any{int(d)}
	for at, v := range sources {
		word |= uint32(v) << []int{5, 16}[at]
		registers = append(registers, int(v))
	}
	mnemonic, _, _ := strings.Cut(strings.ToLower(name), ".")
	a.emit("WORD $%#08x // %s %s", word, mnemonic, fmt.Sprintf(i.operands, registers...))
}

// fmlaElement adds x times element i of y to sum: FMLA by element, whose index
// is in bits 11 and 21.
func (a *assembler) fmlaElement(sum, x, y vec, i int) {
	word := 0x4f801000 | uint32(sum) | uint32(x)<<5 | uint32(y)<<16 | uint32(i&1)<<21 | uint32(i>>1)<<11
	a.emit("WORD $%#08x // fmla v%d.4s, v%d.4s, v%d.s[%d]", word, int(sum), int(x), int(y), i)
}

// local returns where so many bytes of the kernel's stack frame are. The first
// 8 hold the return address.
func (a *assembler) local(bytes int) int {
	a.frame += bytes
	return a.frame - bytes + 8
}

// file returns the assembly, constants last.
func (a *assembler) file(header string) string {
	var b strings.Builder
	b.WriteString(header + "#include \"textflag.h\"\n\n" + a.text.String())
	data := func(name string, words []uint32) {
		for i, w := range words {
			fmt.Fprintf(&b, "DATA %s<>+%d(SB)/4, $%#08x\n", name, 4*i, w)
		}
		fmt.Fprintf(&b, "GLOBL %s<>(SB), RODATA|NOPTR, $%d\n", name, 4*len(words))
	}
	var words, masks []uint32
	for _, c := range a.constants {
		words = append(words, c, c, c, c)
	}
	for i := range 32 {
		masks = append(masks, uint32(0xffffffff*((31-i)/16)))
	}
	data("constants", words)
	b.WriteString("\n// 16 words of ones, then 16 of zeros: from 4(16-n) on, those of n elements.\n")
	data("masks", masks)
	return b.String()
}
