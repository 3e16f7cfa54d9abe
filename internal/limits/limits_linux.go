package limits

import (
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// system is where proc and the control groups are.
var system = os.DirFS("/")

// Memory returns the least of what bounds the memory of this process, beyond
// what it has taken already where that counts: what a control group allows,
// what ulimit leaves, the memory of the machine with its swap space.
func Memory() Bound {
	b := groupMemory(system)
	mapped, data := mappedBytes()
	b = less(b, rest(unix.RLIMIT_AS, mapped, "ulimit -v leaves"))
	b = less(b, rest(unix.RLIMIT_DATA, data, "ulimit -d leaves"))
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) == nil {
		b = less(b, Bound{Bytes: int64(info.Totalram+info.Totalswap) * int64(info.Unit), By: "this machine has"})
	}
	return b
}

// PeakMemory returns the most bytes of memory that this process has had so far,
// 0 when that is not known. Getrusage does not tell: it counts what the process
// that started this one had.
func PeakMemory() int64 {
	if kib := number(system, "proc/self", "status", "VmHWM:"); kib < unlimited {
		return kib << 10
	}
	return 0
}

// rest is what a limit leaves to a process that has taken so much. Nothing is
// one byte, since 0 bytes means that there is no limit.
func rest(resource int, taken int64, by string) Bound {
	limit, ok := resourceLimit(resource)
	if !ok {
		return Bound{}
	}
	return Bound{Bytes: max(1, limit-taken), By: by, Limited: true}
}

// resourceLimit returns a limit of getrlimit; ok is false where there is none.
func resourceLimit(resource int) (limit int64, ok bool) {
	var r unix.Rlimit
	if unix.Getrlimit(resource, &r) != nil || r.Cur >= unlimited {
		return 0, false
	}
	return int64(r.Cur), true
}

// mappedBytes returns how many bytes are mapped, and how many of those ulimit
// -d counts.
func mappedBytes() (all, data int64) {
	words := strings.Fields(strings.Join(lines(system, "proc/self/statm"), " "))
	if len(words) < 6 {
		return 0, 0
	}
	pages := func(word string) int64 {
		n, _ := strconv.ParseInt(word, 10, 64)
		return n * int64(os.Getpagesize())
	}
	return pages(words[0]), pages(words[5])
}

// Near reports whether this process may meet a limit that the Go runtime does
// not survive. It ends the program where the system gives it no memory and
// where no thread can be started: under ulimit -v and -d, where the system
// promises no more memory than there is (overcommit_memory 2), and where
// ulimit -u or a control group leaves few threads.
func Near() bool {
	for _, resource := range []int{unix.RLIMIT_AS, unix.RLIMIT_DATA} {
		if _, ok := resourceLimit(resource); ok {
			return true
		}
	}
	if number(system, "proc/sys/vm", "overcommit_memory") == 2 {
		return true
	}
	few := int64(64 + 2*runtime.GOMAXPROCS(0)) // some times what a run takes
	if limit, ok := resourceLimit(unix.RLIMIT_NPROC); ok && limit-allThreads() < few {
		return true
	}
	return groupThreads(system) < few
}

// allThreads returns how many threads the system has: of a user, at most. That
// is the fourth word of loadavg, behind a slash.
func allThreads() int64 {
	words := strings.Fields(strings.Join(lines(system, "proc/loadavg"), " "))
	if len(words) < 4 {
		return 0
	}
	_, all, _ := strings.Cut(words[3], "/")
	n, _ := strconv.ParseInt(all, 10, 64)
	return n
}
