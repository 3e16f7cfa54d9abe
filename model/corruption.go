package model

import (
	"fmt"
	"math"
	"math/bits"
	"runtime"
	"sync"

	"github.com/aefeat/aefeat/internal/rng"
)

// shareBits is the number of binary digits of v that the independent bits of
// a mask follow. What they miss, at most n/128 components, is put right one
// by one, as is the chance deviation of about sqrt(n v (1-v)).
const shareBits = 6

// Noise is the form that corruption takes.
type Noise uint8

// The forms of noise. They act in preprocessed space, on what the encoder is
// given in training, never on the target.
const (
	Masking    Noise = iota // exactly round(v n) components, half to even, become 0
	Gaussian                // normal noise with standard deviation v is added
	SaltPepper              // round(v n) components go to an end of the range
)

// noises says of each form what the rest of the package must know.
var noises = []struct {
	name string

	// chooses: v is a share of the components, and the noise chooses so many of
	// each row. Otherwise v is a measure of the noise on all of them.
	chooses bool

	// needsRange: rows must have a lowest and a highest value.
	needsRange bool
}{
	Masking:    {name: "masking", chooses: true},
	Gaussian:   {name: "gaussian"},
	SaltPepper: {name: "salt-pepper", chooses: true, needsRange: true},
}

var noiseNames = func() (names []string) {
	for _, n := range noises {
		names = append(names, n.name)
	}
	return names
}()

// chooses reports whether the noise chooses components, and v is their share.
func (n Noise) chooses() bool { return int(n) < len(noises) && noises[n].chooses }

// needsRange reports whether rows must have a lowest and a highest value.
func (n Noise) needsRange() bool { return int(n) < len(noises) && noises[n].needsRange }

// String returns the name that flags and model files use.
func (n Noise) String() string { return nameOf(noiseNames, n) }

// MarshalText returns the name of n.
func (n Noise) MarshalText() ([]byte, error) { return marshalName(noiseNames, n) }

// UnmarshalText sets n to the noise of that name.
func (n *Noise) UnmarshalText(text []byte) error {
	return unmarshalName("noise", noiseNames, n, text)
}

// Denoising returns the denoising autoencoder of P. Vincent, H. Larochelle,
// Y. Bengio and P.-A. Manzagol, "Extracting and composing robust features
// with denoising autoencoders", ICML 2008: a quarter of each row is masked.
func Denoising(hidden int) Config {
	return Config{Objective: ObjectiveDenoising, Hidden: hidden, Corruption: 0.25}
}

// checkCorruption reports bounds of the noise that c breaks.
func (c Config) checkCorruption() error {
	if c.Noise.chooses() && c.Corruption > 1 {
		return &ConfigError{"Corruption",
			fmt.Sprintf("%v is not a share of the components", c.Corruption),
			"give a number from 0 to 1, or choose `Noise` gaussian"}
	}
	return nil
}

func (c Config) corruptionWords() Term {
	if c.Corruption == 0 {
		return Term{}
	}
	return Term{"corruption", fmt.Sprintf("%g, %s", c.Corruption, c.Noise)}
}

// corruptedComponents is how many components of a row the noise chooses,
// round(v n), half to even; 0 for noise that chooses none.
func (c Config) corruptedComponents() int {
	if !c.Noise.chooses() {
		return 0
	}
	return int(math.RoundToEven(c.Corruption * float64(c.Inputs)))
}

// fixedNoise is the epoch that keys the noise where the cost must be one
// function of the parameters: under L-BFGS and on held-out rows. Epochs of
// training are counted from 1.
const fixedNoise = 0

// corrupter makes x~ out of x. The noise of a row depends on the seed, the
// epoch and the row's number alone.
type corrupter struct {
	seed    uint64
	noise   Noise
	sd      float32 // standard deviation of Gaussian noise
	lo, hi  float32 // salt and pepper
	count   int     // components of a row that the noise chooses
	share   uint    // v in units of 2^-shareBits
	chosen  []int32 // which they are, of the rows last corrupted (rows,count); nil: not kept
	workers []*corruptWorker
	wait    sync.WaitGroup
}

// corruptWorker corrupts a share of the rows of a batch on a goroutine.
type corruptWorker struct {
	c            *corrupter
	run          func() // made once, so that starting it allocates nothing
	mask, random []uint64
	chosen       []int32 // of its rows; nil: not kept
	dst, clean   []float32
	inputs       int
	number       []int64
	epoch        uint32
}

func newCorrupter(config Config, p Preprocess) *corrupter {
	c := &corrupter{seed: config.Seed, noise: config.Noise, sd: float32(config.Corruption)}
	lo, hi := p.valueRange()
	c.lo, c.hi = float32(lo), float32(hi)
	if config.Noise.chooses() {
		c.count = config.corruptedComponents()
		c.share = uint(math.Round(config.Corruption * (1 << shareBits)))
	}
	words := (config.Inputs + 63) / 64
	for range runtime.GOMAXPROCS(0) {
		w := &corruptWorker{c: c, mask: make([]uint64, words), random: make([]uint64, words)}
		w.run = func() {
			defer c.wait.Done()
			w.rows()
		}
		c.workers = append(c.workers, w)
	}
	return c
}

// rows sets dst to the corrupted form of the rows of clean that have numbers.
func (c *corrupter) rows(dst, clean []float32, inputs int, number []int64, epoch uint32) {
	// A goroutine costs about as much as the noise of some rows.
	const least = 16
	rows := len(number)
	workers := max(1, min(len(c.workers), rows/least))
	for i, w := range c.workers[:workers] {
		lo, hi := rows*i/workers, rows*(i+1)/workers
		w.dst, w.clean = dst[lo*inputs:hi*inputs], clean[lo*inputs:hi*inputs]
		w.inputs, w.number, w.epoch = inputs, number[lo:hi], epoch
		if c.chosen != nil {
			w.chosen = c.chosen[lo*c.count : hi*c.count]
		}
	}
	c.wait.Add(workers - 1)
	for _, w := range c.workers[1:workers] {
		go w.run()
	}
	c.workers[0].rows()
	c.wait.Wait()
}

func (w *corruptWorker) rows() {
	c, n := w.c, w.inputs
	copy(w.dst, w.clean)
	for i, number := range w.number {
		x := w.dst[i*n : (i+1)*n]
		s := rng.New(c.seed, rng.Corruption, w.epoch, uint64(number))
		switch c.noise {
		case Masking:
			w.draw(&s, n)
			for j, word := range w.mask {
				for x := x[j*64:]; word != 0; word &= word - 1 {
					x[bits.TrailingZeros64(word)] = 0
				}
			}
		case SaltPepper:
			w.draw(&s, n)
			s.Fill(w.random)
			for j, word := range w.mask {
				for x, salt := x[j*64:], w.random[j]; word != 0; word &= word - 1 {
					k := bits.TrailingZeros64(word)
					x[k] = c.lo
					if salt>>k&1 != 0 {
						x[k] = c.hi
					}
				}
			}
		case Gaussian:
			for j := range x {
				x[j] += float32(c.sd * float32(s.Norm()))
			}
		}
		if w.chosen != nil {
			list(w.chosen[i*c.count:(i+1)*c.count], w.mask)
		}
	}
}

// list sets chosen to the components in the mask, in ascending order.
func list(chosen []int32, mask []uint64) {
	k := 0
	for i, word := range mask {
		for ; word != 0; word &= word - 1 {
			chosen[k] = int32(64*i + bits.TrailingZeros64(word))
			k++
		}
	}
}

// draw sets w.mask to a set of exactly count out of n components, each such
// set equally likely.
//
// Bits are drawn independently with a probability close to v: reading v's
// binary digits from the last to the first, a 1 joins the bits so far with
// random ones by or, a 0 by and, which halves what is missing from 1 or what
// is there. Then components chosen evenly are added or removed until the
// number is right. Nothing in this tells one component from another, so sets
// of equal size stay equally likely.
func (w *corruptWorker) draw(s *rng.Stream, n int) {
	c, mask := w.c, w.mask
	switch c.share {
	case 0:
		clear(mask)
	case 1 << shareBits:
		for i := range mask {
			mask[i] = math.MaxUint64
		}
	default:
		digit := bits.TrailingZeros(c.share)
		s.Fill(mask)
		for digit++; digit < shareBits; digit++ {
			s.Fill(w.random)
			if c.share>>digit&1 != 0 {
				for i, r := range w.random {
					mask[i] |= r
				}
			} else {
				for i, r := range w.random {
					mask[i] &= r
				}
			}
		}
	}
	if rest := n % 64; rest != 0 {
		mask[len(mask)-1] &= 1<<rest - 1
	}
	have := 0
	for _, word := range mask {
		have += bits.OnesCount64(word)
	}
	for have != c.count {
		j := s.Uint32n(uint32(n))
		word, bit := &mask[j/64], uint64(1)<<(j%64)
		switch {
		case have < c.count && *word&bit == 0:
			*word |= bit
			have++
		case have > c.count && *word&bit != 0:
			*word &^= bit
			have--
		}
	}
}
