package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/aefeat/aefeat/internal/disk"
)

// This file answers what people know from other tools: their names of commands
// and flags, and addresses where a file is meant.

// commandsElsewhere are what other tools call a command.
var commandsElsewhere = map[string]string{
	"fit":       "train learn build create",
	"transform": "predict encode embed extract apply infer featurize featurise compress",
	"evaluate":  "eval score validate cost",
	"probe":     "classify test benchmark judge",
	"inspect":   "info show schema describe head cat stat ls",
	"filters":   "draw plot visualize visualise weights",
	"patches":   "crop cut tile",
	"demo":      "example tutorial quickstart",
}

// flagsElsewhere are what other tools call a flag.
var flagsElsewhere = map[string]string{
	"output":           "out output-file output-path save save-path dest destination outfile",
	"model":            "model-path model-file load checkpoint weights",
	"hidden":           "hidden-size hidden-units hidden-dim n-hidden num-hidden units n-components components latent latent-dim dim code-size embedding-dim dict-size",
	"learning-rate":    "lr rate eta step-size",
	"batch-size":       "batch bs minibatch mini-batch",
	"epochs":           "n-epochs num-epochs max-iter max-iterations iterations passes steps",
	"optimizer":        "optimiser opt solver algorithm",
	"objective":        "type kind variant autoencoder",
	"sparsity":         "rho sparsity-target sparsity-param target-sparsity",
	"sparsity-weight":  "beta sparsity-penalty kl-weight l1",
	"weight-decay":     "lambda l2 wd decay regularization regularisation",
	"contraction":      "gamma",
	"corruption":       "noise-level dropout corruption-level corruption-rate mask-ratio",
	"activation":       "act nonlinearity activation-function",
	"preprocess":       "normalize normalise normalization standardize standardise whiten whitening scaler preprocessing",
	"pixel-max":        "max max-value scale-by divisor",
	"checkpoint":       "ckpt save-checkpoint checkpoint-file checkpoint-path checkpoint-dir checkpoints snapshot",
	"checkpoint-every": "checkpoint-interval checkpoint-freq save-every save-freq save-interval save-steps autosave",
	"resume":           "continue restore restart resume-from resume-from-checkpoint load-checkpoint ckpt-path go-on",
	"init":             "warm-start pretrained init-from finetune fine-tune initial-model",
	"seed":             "random-state random-seed rng",
	"validation":       "val val-split validation-split validation-fraction holdout test-size",
	"patience":         "early-stopping",
	"sweep":            "grid grid-search param-grid multirun",
	"column":           "columns feature features field x",
	"label":            "labels target y class label-column",
	"keep":             "select include",
	"memory":           "mem ram max-memory memory-limit",
	"spill-dir":        "tmp-dir temp-dir tmpdir tempdir scratch",
	"progress":         "verbose log log-level",
	"quiet":            "silent",
	"on-bad-row":       "skip-bad ignore-errors errors on-error",
	"size":             "patch-size",
	"per-image":        "n-patches num-patches",
}

// known returns the name that belongs to a word of other tools, "" if none of
// the names does.
func known(elsewhere map[string]string, word string, names []string) string {
	for _, name := range names {
		if slices.Contains(strings.Fields(elsewhere[name]), word) {
			return name
		}
	}
	return ""
}

// unflagged are flags of other tools whose meaning needs none here, and what to
// say of it.
var unflagged = []struct{ names, hint string }{
	{"input inputs i data input-file input-path file files train dataset", "inputs need no flag: aefeat %s [flags] INPUT..."},
	{"threads jobs n-jobs workers num-workers cpus cores", "all processors work; the environment variable GOMAXPROCS limits them"},
	{"gpu device cuda", "there is nothing to choose: aefeat runs on processors"},
}

// elsewhereHint says what does here what a flag of another tool does, "" if
// nothing does.
func elsewhereHint(command *cli.Command, written string) string {
	word := strings.ReplaceAll(strings.ToLower(strings.TrimLeft(written, "-")), "_", "-")
	var names []string
	for _, f := range flagsOf(command.Name) {
		names = append(names, f.name)
	}
	if slices.Contains(names, word) {
		return "did you mean " + spell(word) + "?"
	}
	if name := known(flagsElsewhere, word, names); name != "" {
		return "did you mean " + spell(name) + "?"
	}
	for _, u := range unflagged {
		if slices.Contains(strings.Fields(u.names), word) {
			return strings.Replace(u.hint, "%s", command.Name, 1)
		}
	}
	return ""
}

// A store is a kind of address, with the commands that read and write it by a
// pipe, and copy a file or a folder here. %s stands for the address.
type store struct{ schemes, read, write, copy, copyAll string }

var stores = []store{
	{"http https", "curl -sSfL %s", "curl -sSfT - %s", "curl -sSfLO %s", ""},
	{"s3 s3a s3n", "aws s3 cp %s -", "aws s3 cp - %s", "aws s3 cp %s .", "aws s3 cp --recursive %s ."},
	{"gs gcs", "gcloud storage cat %s", "gcloud storage cp - %s", "gcloud storage cp %s .", "gcloud storage cp --recursive %s ."},
	{"az abfs abfss wasb wasbs adl", "azcopy copy %s --from-to BlobPipe", "azcopy copy %s --from-to PipeBlob", "azcopy copy %s .", "azcopy copy --recursive %s ."},
	{"hdfs", "hdfs dfs -cat %s", "hdfs dfs -put - %s", "hdfs dfs -get %s .", ""},
	{"ftp ftps sftp", "curl -sSf %s", "curl -sSfT - %s", "curl -sSfO %s", ""},
}

// remote returns the store of an address, if name is one and no file is called
// so.
func remote(name string) (store, bool) {
	scheme, _, ok := strings.Cut(name, "://")
	if !ok {
		return store{}, false
	}
	if _, err := disk.Stat(name); err == nil {
		return store{}, false
	}
	for _, s := range stores {
		if slices.Contains(strings.Fields(s.schemes), strings.ToLower(scheme)) {
			return s, true
		}
	}
	return store{}, false
}

// of writes a command of the store for an address.
func (s store) of(command, address string) string {
	switch scheme, rest, _ := strings.Cut(address, "://"); scheme {
	case "s3a", "s3n": // Hadoop's names
		address = "s3://" + rest
	case "gcs":
		address = "gs://" + rest
	case "az", "abfs", "abfss", "wasb", "wasbs", "adl":
		address = "https://ACCOUNT.blob.core.windows.net/" + rest
		if container, host, ok := strings.Cut(rest, "@"); ok { // container@account.dfs.core.windows.net/path
			host, path, _ := strings.Cut(host, "/")
			address = "https://" + strings.Replace(host, ".dfs.", ".blob.", 1) + "/" + container + "/" + path
		}
	}
	if folder := strings.HasSuffix(address, "/") || strings.ContainsAny(address, "*["); folder && command == s.copy {
		command = cmp.Or(s.copyAll, s.copy)
	}
	return fmt.Sprintf(command, shell([]string{address}))
}

// refuseRemote returns a usage error where args[at] of a command is an address
// and a file is meant: an operand, or the value of a flag. Its hint is the
// command line that does what was meant.
func refuseRemote(command *cli.Command, args []string, at int, flag cli.Flag) error {
	written, name := "", args[at]
	if flag != nil {
		if !takesFile(flag) {
			return nil
		}
		if before, after, ok := strings.Cut(name, "="); ok && strings.HasPrefix(before, "-") {
			written, name = before+"=", after
		}
	}
	hint, code := "", codeUsageInput
	if flag != nil && flag.(cli.CategorizableFlag).GetCategory() == categoryOutput {
		code = codeUsageOutput
	}
	if local, ok := strings.CutPrefix(name, "file://"); ok {
		hint = "name it as " + local
	} else if s, ok := remote(name); ok {
		line := slices.Clone(args)
		line[at] = written + "-"
		piped := shell(append([]string{"aefeat", command.Name}, line...))
		switch {
		case code == codeUsageOutput && (!canBePipe(flag) || strings.HasSuffix(name, "/")):
			hint = "write it to a file or folder here, and copy that there"
		case code == codeUsageOutput:
			hint = "write it through a pipe: " + piped + " | " + s.of(s.write, name)
		case flag == nil && pipes(command, args, at):
			hint = "read it through a pipe: " + s.of(s.read, name) + " | " + piped
		default:
			hint = "copy it first: " + s.of(s.copy, name)
		}
	}
	if hint == "" {
		return nil
	}
	e := usagef(command.Name, "%s is an address, and aefeat takes files", name).as(code)
	e.hints = append([]string{hint}, e.hints...)
	return e
}

// takesFile reports whether the value of a flag names a file.
func takesFile(f cli.Flag) bool {
	doc, ok := f.(cli.DocGenerationFlag)
	if !ok || !doc.TakesValue() {
		return false
	}
	what := placeholder(f, doc.GetUsage())
	return what == "FILE" || what == "FOLDER"
}

// canBePipe reports whether a flag names an output that - can stand for.
func canBePipe(f cli.Flag) bool {
	return slices.ContainsFunc(f.Names(), func(name string) bool { return name == "output" || name == "emit" })
}

// pipes reports whether standard input can stand for args[at] of a command: it
// is the only one, and data in one file.
func pipes(command *cli.Command, args []string, at int) bool {
	if command.Name == "patches" || command.Name == "image-features" || strings.HasSuffix(args[at], "/") || strings.ContainsAny(args[at], "*[") {
		return false
	}
	for i, a := range args {
		if _, also := remote(a); i != at && (also || a == "-") {
			return false
		}
	}
	return true
}
