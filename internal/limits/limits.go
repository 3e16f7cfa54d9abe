// Package limits knows what the system lets this process have of memory and
// threads.
//
// [Memory] is the least of what bounds the memory of the process. [Near] tells
// whether the Go runtime may meet a limit that it does not survive.
// [PeakMemory] is what the process has had at most.
//
// Limits come from getrlimit and from control groups, of version 1 and 2. Of a
// control group the limits of its ancestors count as well, as far as they can
// be seen. All of this is known on Linux; elsewhere there seem to be no limits.
package limits

import (
	"io/fs"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
)

// A Bound is the least of what bounds the memory of a process.
type Bound struct {
	Bytes int64  // that the process may have; 0: not known
	By    string // who says so, as in "this machine has", "ulimit -v leaves"

	// Limited tells that it is a limit of the process, and not all that the
	// machine has.
	Limited bool
}

// less returns the lower one of two bounds.
func less(a, b Bound) Bound {
	if b.Bytes > 0 && (a.Bytes == 0 || b.Bytes < a.Bytes) {
		return b
	}
	return a
}

// unlimited is the least number that the system gives for no limit. Control
// groups of version 1 have the largest whole number of pages.
const unlimited = 1 << 62

// groupMemory returns what control groups leave of memory to a process; root
// is the system's file system, and proc/self in it is of that process.
func groupMemory(root fs.FS) Bound {
	least := int64(math.MaxInt64)
	for _, g := range groups(root, "memory") {
		if g.version == 2 {
			for _, dir := range g.line {
				least = min(least, number(root, dir, "memory.max"))
			}
			continue
		}
		// The kernel has looked at the ancestors, even those above what is
		// mounted.
		least = min(least, number(root, g.line[0], "memory.limit_in_bytes"), number(root, g.line[0], "memory.stat", "hierarchical_memory_limit"))
	}
	if least >= unlimited {
		return Bound{}
	}
	return Bound{Bytes: least, By: "the control group allows", Limited: true}
}

// groupThreads returns how many more threads control groups let start.
func groupThreads(root fs.FS) int64 {
	least := int64(math.MaxInt64)
	for _, g := range groups(root, "pids") {
		for _, dir := range g.line {
			if most := number(root, dir, "pids.max"); most < unlimited {
				least = min(least, max(0, most-number(root, dir, "pids.current")))
			}
		}
	}
	return least
}

// A group is the control group of a process in one hierarchy.
type group struct {
	version int
	line    []string // its folder and those of its ancestors, itself first
}

// groups returns the control groups that may limit what a controller is about:
// of version 1, 2 or both.
func groups(root fs.FS, controller string) []group {
	paths := map[int]string{} // by version
	for _, line := range lines(root, "proc/self/cgroup") {
		id, rest, _ := strings.Cut(line, ":")
		controllers, name, _ := strings.Cut(rest, ":")
		switch {
		case id == "0" && controllers == "":
			paths[2] = name
		case slices.Contains(strings.Split(controllers, ","), controller):
			paths[1] = name
		}
	}
	var found []group
	for _, line := range lines(root, "proc/self/mountinfo") {
		m, ok := parseMount(line, controller)
		if name, in := paths[m.version]; ok && in {
			found = append(found, group{m.version, m.ancestors(root, name)})
		}
	}
	return found
}

// A mount is where a hierarchy of control groups can be seen.
type mount struct {
	version int
	top     string // the group that is mounted, as proc/self/cgroup has it
	dir     string // where, below the root
}

// parseMount reads a line of mountinfo (proc(5)); ok is false for anything but
// control groups that have the controller.
func parseMount(line, controller string) (m mount, ok bool) {
	front, back, _ := strings.Cut(line, " - ")
	f, b := strings.Fields(front), strings.Fields(back)
	if len(f) < 5 || len(b) < 3 {
		return m, false
	}
	m = mount{top: unescape(f[3]), dir: strings.TrimPrefix(unescape(f[4]), "/")}
	switch {
	case b[0] == "cgroup2":
		m.version = 2
	case b[0] == "cgroup" && slices.Contains(strings.Split(b[2], ","), controller):
		m.version = 1
	}
	return m, m.version > 0
}

// unescape undoes the octal escapes of mountinfo.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

// ancestors returns the folder of a group and of those above it, up to what is
// mounted. A container may see its group under another name than the kernel
// tells: as the top of what is mounted.
func (m mount) ancestors(root fs.FS, name string) []string {
	below := ""
	if rest, ok := strings.CutPrefix(name, strings.TrimSuffix(m.top, "/")); ok && (rest == "" || rest[0] == '/') {
		below = strings.Trim(path.Clean("/"+rest), "/")
	}
	if _, err := fs.Stat(root, path.Join(m.dir, below)); err != nil {
		below = ""
	}
	line := []string{path.Join(m.dir, below)}
	for below != "" && below != "." {
		below = path.Dir(below)
		line = append(line, path.Join(m.dir, below))
	}
	return line
}

// number reads a number out of a file in dir; with a key, the one behind that
// word on a line. It returns the largest number there is for "max" and where
// nothing can be read.
func number(root fs.FS, dir, file string, key ...string) int64 {
	for _, line := range lines(root, path.Join(dir, file)) {
		words := strings.Fields(line)
		if len(words) <= len(key) || !slices.Equal(words[:len(key)], key) {
			continue
		}
		if n, err := strconv.ParseUint(words[len(key)], 10, 64); err == nil && n < unlimited {
			return int64(n)
		}
	}
	return math.MaxInt64
}

// lines returns the lines of a file, none where it cannot be read.
func lines(root fs.FS, name string) []string {
	text, err := fs.ReadFile(root, name)
	if err != nil {
		return nil
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}
