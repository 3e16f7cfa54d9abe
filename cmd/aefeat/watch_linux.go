package main

import (
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/aefeat/aefeat/internal/disk"
	"github.com/aefeat/aefeat/internal/limits"
)

// watchedName is the environment variable that tells a process that it is
// watched. Its value is the descriptor of the real standard error.
const watchedName = "AEFEAT_WATCHED"

// underWatch lets another process run the command that args ask for, and
// returns its exit status. Where no limit is near, or in that other process,
// done is false: the command is to be run here.
func underWatch(ui *console, args []string) (status int, done bool) {
	stderr := os.Getenv(watchedName)
	os.Unsetenv(watchedName)
	if beWatched(stderr, args) || !limits.Near() {
		return 0, false
	}
	memoryBound() // which is as it is for the other process now
	w, err := startWatched(args)
	switch err {
	case nil:
		return w.wait(ui), true
	case syscall.EAGAIN:
		err = noThreads()
	case syscall.ENOMEM:
		err = noMemory()
	default:
		return 0, false // then without
	}
	ui.fail(err)
	return codeOf(err).status(), true
}

// beWatched makes this process one that is watched, if it is to be: stderr is
// then a descriptor.
func beWatched(stderr string, args []string) bool {
	fd, err := strconv.Atoi(stderr)
	if err != nil {
		return false
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, unix.FD_CLOEXEC); err != nil {
		return false
	}
	os.Stderr = os.NewFile(uintptr(fd), "/dev/stderr")
	// As ps shows it, and not by the name that it was started with.
	if name, err := disk.OpenFile("/proc/self/comm", os.O_WRONLY, 0); err == nil {
		_, _ = name.Write([]byte(filepath.Base(args[0])))
		name.Close()
	}
	// A terminal stops background processes that write, if told to.
	signal.Ignore(syscall.SIGTTOU)
	return true
}

// A watch is over a process that runs the command.
type watch struct {
	pid     int
	says    *os.File // what its runtime writes
	signals chan os.Signal
}

// startWatched starts this program once more, with the same arguments, in a
// process group of its own, so that signals come from this process alone. It
// inherits what this one has inherited, and dies with it: the kernel looks at
// the thread that started it, but Go ends no thread before the program.
func startWatched(args []string) (*watch, error) {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return nil, err
	}
	defer unix.Close(pipe[1])
	w := &watch{says: os.NewFile(uintptr(pipe[0]), "pipe"), signals: make(chan os.Signal, 8)}
	stderr, err := unix.FcntlInt(2, unix.F_DUPFD, 3)
	if err != nil {
		w.says.Close()
		return nil, err
	}
	defer unix.Close(stderr)
	wanted := []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGTSTP, syscall.SIGCONT}
	if !signal.Ignored(syscall.SIGHUP) {
		wanted = append(wanted, syscall.SIGHUP)
	}
	signal.Notify(w.signals, wanted...)
	w.pid, err = syscall.ForkExec("/proc/self/exe", args, &syscall.ProcAttr{
		Env:   append(os.Environ(), watchedName+"="+strconv.Itoa(stderr)),
		Files: []uintptr{0, 1, uintptr(pipe[1])},
		Sys:   &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL},
	})
	if err != nil {
		signal.Stop(w.signals)
		w.says.Close()
		return nil, err
	}
	return w, nil
}

// wait passes signals on until the process ends, tells how the runtime ended it
// if it did, and returns the exit status.
func (w *watch) wait(ui *console) int {
	signal.Ignore(syscall.SIGPIPE)
	go w.forward()
	text := &overheard{w: os.Stderr}
	_, _ = io.Copy(text, w.says) // until the process has ended
	var status syscall.WaitStatus
	for {
		if _, err := syscall.Wait4(w.pid, &status, 0, nil); err != syscall.EINTR {
			break
		}
	}
	signal.Stop(w.signals)
	if status.Signaled() || status.ExitStatus() == exitUsage {
		if s, ok := ended(ui, text.text.String()); ok {
			return s
		}
	}
	text.pass()
	if status.Signaled() { // end likewise, for whoever waits for this process
		signal.Reset(status.Signal())
		_ = syscall.Kill(os.Getpid(), status.Signal())
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}

// forward passes signals on, and stops and continues with the process.
func (w *watch) forward() {
	for s := range w.signals {
		if s == syscall.SIGTSTP {
			_ = syscall.Kill(w.pid, syscall.SIGSTOP)
			_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
			continue
		}
		_ = syscall.Kill(w.pid, s.(syscall.Signal))
	}
}
