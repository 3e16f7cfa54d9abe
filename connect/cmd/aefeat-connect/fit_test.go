//go:build !windows

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/stage"
)

// inChild makes a test binary the program, with an input more.
const inChild = "AEFEAT_CONNECT_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(inChild) == "" {
		os.Exit(m.Run())
	}
	service.MustRegisterInput("queue", service.NewConfigSpec().Fields(service.NewStringField("path"), service.NewIntField("come")), newQueue)
	main()
}

// queue is an input of the lines of a file that have not been acknowledged, as
// message brokers have them. Acknowledged ones are numbers in a file beside it.
// Where only so many of the lines have come yet, the input waits for others, and
// does not end.
type queue struct {
	lines [][]byte
	acked map[int]bool
	log   *os.File
	next  int
	come  int // lines; 0: all
	mu    sync.Mutex
}

func newQueue(conf *service.ParsedConfig, _ *service.Resources) (service.Input, error) {
	path, err := conf.FieldString("path")
	if err != nil {
		return nil, err
	}
	q := &queue{acked: map[int]bool{}}
	if q.come, err = conf.FieldInt("come"); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	q.lines = bytes.SplitAfter(text, []byte("\n"))
	q.lines = q.lines[:len(q.lines)-1] // what follows the last line end
	if q.come > 0 {
		q.lines = q.lines[:q.come]
	}
	for _, i := range acks(path) {
		q.acked[i] = true
	}
	if q.log, err = os.OpenFile(path+".acks", os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666); err != nil {
		return nil, err
	}
	return service.AutoRetryNacks(q), nil
}

// acks returns the numbers of the lines of a file that were acknowledged, in
// this order.
func acks(path string) (all []int) {
	text, _ := os.ReadFile(path + ".acks")
	for line := range strings.FieldsSeq(string(text)) {
		if i, err := strconv.Atoi(line); err == nil {
			all = append(all, i)
		}
	}
	return all
}

func (q *queue) Connect(context.Context) error { return nil }

func (q *queue) Read(ctx context.Context) (*service.Message, service.AckFunc, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.acked[q.next] {
		q.next++
	}
	i := q.next
	if i >= len(q.lines) {
		if q.come == 0 {
			return nil, nil, service.ErrEndOfInput
		}
		<-ctx.Done()
		return nil, nil, ctx.Err()
	}
	q.next++
	return service.NewMessage(q.lines[i]), func(_ context.Context, err error) error {
		if err != nil {
			return nil
		}
		_, err = fmt.Fprintln(q.log, i)
		if i%10 == 0 {
			fmt.Println("acknowledged", i) // for whoever waits
		}
		return err
	}, nil
}

func (q *queue) Close(context.Context) error { return nil }

// rows returns random patches.
func rows(n, width int) [][]uint8 {
	g := rand.New(rand.NewPCG(1, 2))
	all := make([][]uint8, n)
	for i := range all {
		all[i] = make([]uint8, width)
		for j := range all[i] {
			all[i][j] = uint8(g.UintN(256))
		}
	}
	return all
}

// jsonLines returns patches as JSON lines.
func jsonLines(t *testing.T, rows [][]uint8) []byte {
	t.Helper()
	var b bytes.Buffer
	for i, r := range rows {
		x := make([]int, len(r)) // a []uint8 would be text
		for j, v := range r {
			x[j] = int(v)
		}
		line, err := json.Marshal(map[string]any{"id": i, "patch": x})
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(line, '\n'))
	}
	return b.Bytes()
}

// fitted returns the file of the model of a fit of rows.
func fitted(t *testing.T, rows [][]uint8) []byte {
	t.Helper()
	schema := arrow.NewSchema([]arrow.Field{{Name: "patch", Type: arrow.FixedSizeListOf(int32(len(rows[0])), arrow.PrimitiveTypes.Uint8)}}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	list := b.Field(0).(*array.FixedSizeListBuilder)
	for _, r := range rows {
		list.Append(true)
		list.ValueBuilder().(*array.Uint8Builder).AppendValues(r, nil)
	}
	batch := b.NewRecordBatch()
	defer batch.Release()
	reader, err := array.NewRecordReader(schema, []arrow.RecordBatch{batch})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Release()
	m, _, err := stage.Fit(context.Background(), reader, stage.Config{Model: model.Sparse(8), Columns: []string{"patch"}, Epochs: 1, Preprocess: model.PreprocessScale})
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if _, err := m.WriteTo(&file); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// pipeline is a program that runs in a folder.
type pipeline struct {
	*exec.Cmd
	stdout *bufio.Scanner
	stderr *bytes.Buffer
}

// start runs a pipeline.
func start(t *testing.T, dir, file string, stdin io.Reader) *pipeline {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &pipeline{Cmd: exec.Command(program, "run", file), stderr: &bytes.Buffer{}}
	p.Dir, p.Stdin, p.Stderr = dir, stdin, p.stderr
	p.Env = append(os.Environ(), inChild+"=1")
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.stdout = bufio.NewScanner(out)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Process.Kill()
		if t.Failed() {
			t.Log(p.stderr)
		}
	})
	return p
}

// wait reads until the program has ended, and returns its error.
func (p *pipeline) wait() error {
	for p.stdout.Scan() {
	}
	return p.Wait()
}

// queueFile writes a pipeline file with a queue of the lines of another, which
// have come as queue has it.
func queueFile(t *testing.T, dir, name, lines string, come int) {
	t.Helper()
	text := fmt.Sprintf(`
http: { enabled: false }
input: { queue: { path: %s, come: %d } }
output:
  aefeat_fit: { checkpoint: state, model: model, hidden: 8, max_in_flight: 1, checkpoint_every: 5ms, batching: { count: 50, period: 5ms } }
`, lines, come)
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

// A pipeline that is terminated or killed while it trains goes on at the next
// start: what it has acknowledged is in the model. After a termination each row
// is there once; a kill may come between the checkpoint and the
// acknowledgement, and these rows come again.
func TestInterruptions(t *testing.T) {
	const n = 4000
	all := rows(n, 16)
	for _, s := range []struct {
		signal syscall.Signal
		at     []int // lines whose acknowledgements are waited for
	}{
		{syscall.SIGTERM, []int{300, 2000}}, // before training and in the midst of it
		{syscall.SIGKILL, []int{300, 2000}},
	} {
		t.Run(s.signal.String(), func(t *testing.T) {
			dir := t.TempDir()
			lines := filepath.Join(dir, "lines")
			if err := os.WriteFile(lines, jsonLines(t, all), 0o666); err != nil {
				t.Fatal(err)
			}
			var taken [][]uint8 // by the trainer, in this order
			for _, at := range s.at {
				// A thousand more are the most that may be trained on until it dies.
				queueFile(t, dir, "fit.yaml", "lines", at+1000)
				waiting := pending(all, lines)
				p := start(t, dir, "fit.yaml", nil)
				for p.stdout.Scan() && p.stdout.Text() != fmt.Sprint("acknowledged ", at) {
				}
				p.Process.Signal(s.signal)
				err := p.wait()
				if s.signal == syscall.SIGTERM && err != nil {
					t.Fatal(err)
				}
				taken = append(taken, waiting[:held(t, dir)-len(taken)]...)
				if got := len(acks(lines)); len(taken) < got || s.signal == syscall.SIGTERM && len(taken) != got {
					t.Fatalf("%d rows were acknowledged, %d are in the checkpoint", got, len(taken))
				}
			}
			queueFile(t, dir, "fit.yaml", "lines", 0)
			taken = append(taken, pending(all, lines)...)
			if err := start(t, dir, "fit.yaml", nil).wait(); err != nil {
				t.Fatal(err)
			}
			distinct := map[string]bool{}
			for _, r := range taken {
				distinct[string(r)] = true
			}
			if got := len(acks(lines)); got != n || len(distinct) != n {
				t.Errorf("of %d rows %d were acknowledged and %d trained on", n, got, len(distinct))
			}
			if got := readFile(t, dir, "model"); !bytes.Equal(got, fitted(t, taken)) {
				t.Error("the model is not that of the acknowledged rows in their order")
			}
		})
	}
}

// pending returns the rows of lines that were not acknowledged.
func pending(all [][]uint8, path string) [][]uint8 {
	done := map[int]bool{}
	for _, i := range acks(path) {
		done[i] = true
	}
	var left [][]uint8
	for i, r := range all {
		if !done[i] {
			left = append(left, r)
		}
	}
	return left
}

// held returns how many rows are in the checkpoint of a folder: those of the
// model that a pipeline without input makes of it.
func held(t *testing.T, dir string) int {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "none"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	queueFile(t, dir, "none.yaml", "none", 0)
	if err := start(t, dir, "none.yaml", nil).wait(); err != nil {
		t.Fatal(err)
	}
	m, err := model.Read(bytes.NewReader(readFile(t, dir, "model")))
	if err != nil {
		t.Fatal(err)
	}
	return int(m.RowsSeen)
}

func readFile(t *testing.T, dir, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The example trains on good lines and puts bad ones aside.
func TestExampleFit(t *testing.T) {
	dir := t.TempDir()
	text, err := os.ReadFile("../../examples/fit.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "fit.yaml"), text, 0o666); err != nil {
		t.Fatal(err)
	}
	good := bytes.SplitAfter(jsonLines(t, rows(1500, 16)), []byte("\n"))
	bad := []byte(`{"patch":[300]}` + "\n")
	lines := append(append(append([]byte{}, bytes.Join(good[:700], nil)...), bad...), bytes.Join(good[700:], nil)...)
	if err := start(t, dir, "fit.yaml", bytes.NewReader(lines)).wait(); err != nil {
		t.Fatal(err)
	}
	m, err := model.Read(bytes.NewReader(readFile(t, dir, "fit.safetensors")))
	if err != nil || m.RowsSeen != 1500 || m.Hidden != 64 {
		t.Errorf("%+v, %v", m, err)
	}
	want := `{"line":"{\"patch\":[300]}","reason":"patch[0] is 300, expected uint8, a whole number from 0 to 255"}` + "\n"
	if got := string(readFile(t, dir, "rejected.jsonl")); got != want {
		t.Errorf("rejected: %s", got)
	}
}
