package limits

import (
	"math"
	"strings"
	"testing"
	"testing/fstest"
)

// What systems look like to a process: its groups, its mounts and files of
// control groups. Lines of proc are from such systems.
const (
	proc2 = "35 24 0:30 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n"
	proc1 = `22 18 0:20 / /proc rw,relatime - proc proc rw
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
34 31 0:31 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 TOP /sys/fs/cgroup/memory rw,relatime master:11 - cgroup cgroup rw,memory
39 31 0:36 TOP /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
`
	none1 = "9223372036854771712\n"
	gib   = 1 << 30
)

// mounts1 is proc1 in a container that sees the group top.
func mounts1(top string) string { return strings.ReplaceAll(proc1, "TOP", top) }

func TestGroups(t *testing.T) {
	for name, c := range map[string]struct {
		cgroup, mountinfo string
		files             map[string]string
		memory, threads   int64 // 0: no limit
	}{
		"no control groups": {"", "22 18 0:20 / /proc rw,relatime - proc proc rw\n", nil, 0, 0},
		"no limits": {"0::/user.slice/user-1000.slice/session-3.scope\n", proc2, map[string]string{
			"user.slice/memory.max": "max\n", "user.slice/user-1000.slice/session-3.scope/memory.max": "max\n"}, 0, 0},
		"a slice of systemd, its limits above": {"0::/user.slice/user-1000.slice/session-3.scope\n", proc2, map[string]string{
			"user.slice/memory.max":                                     "3221225472\n",
			"user.slice/user-1000.slice/memory.max":                     "2147483648\n",
			"user.slice/user-1000.slice/session-3.scope/memory.max":     "max\n",
			"user.slice/user-1000.slice/session-3.scope/cgroup.procs":   "7\n",
			"user.slice/user-1000.slice/session-3.scope/memory.current": "1234\n",
			"user.slice/user-1000.slice/pids.max":                       "100\n",
			"user.slice/user-1000.slice/pids.current":                   "60\n",
			"user.slice/user-1000.slice/session-3.scope/pids.max":       "90\n",
			"user.slice/user-1000.slice/session-3.scope/pids.current":   "10\n"}, 2 * gib, 40},
		"a neighbour's limit": {"0::/a/b\n", proc2, map[string]string{"a/b/cgroup.procs": "1\n", "a/c/memory.max": "1024\n"}, 0, 0},
		"its own limit is the least": {"0::/a/b\n", proc2, map[string]string{
			"a/memory.max": "2147483648\n", "a/b/memory.max": "1073741824\n"}, gib, 0},
		"a container that sees itself as the root": {"0::/\n", proc2, map[string]string{
			"memory.max": "1073741824\n", "pids.max": "7\n", "pids.current": "9\n"}, gib, -1},
		"a container with the machine's view": {"0::/kubepods.slice/pod7/c1\n",
			"741 740 0:30 /kubepods.slice/pod7 /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw\n",
			map[string]string{"memory.max": "2147483648\n", "c1/memory.max": "max\n"}, 2 * gib, 0},
		"a group that moved out of the container": {"0::/../other\n", proc2, map[string]string{"memory.max": "1073741824\n"}, gib, 0},
		"a name that begins like the mounted one": {"0::/pods\n",
			"741 740 0:30 /pod /sys/fs/cgroup ro - cgroup2 cgroup rw\n", map[string]string{"memory.max": "1073741824\n", "s/memory.max": "1024\n"}, gib, 0},

		"version 1 without limits": {"9:name=systemd:/\n4:memory:/a\n0::/\n", mounts1("/"), map[string]string{
			"memory/a/memory.limit_in_bytes": none1, "memory/a/memory.stat": "cache 0\nhierarchical_memory_limit " + none1}, 0, 0},
		"version 1, its own limit": {"8:pids:/a\n4:memory:/a\n0::/\n", mounts1("/"), map[string]string{
			"memory/a/memory.limit_in_bytes": "1073741824\n", "memory/a/memory.stat": "cache 0\nhierarchical_memory_limit 1073741824\n",
			"pids/a/pids.max": "20\n", "pids/a/pids.current": "5\n"}, gib, 15},
		"version 1, a limit above": {"4:memory:/a/b\n", mounts1("/"), map[string]string{
			"memory/a/b/memory.limit_in_bytes": none1, "memory/a/b/memory.stat": "rss 0\nhierarchical_memory_limit 2147483648\nhierarchical_memsw_limit 1024\n"}, 2 * gib, 0},
		"version 1, docker": {"4:memory:/docker/0a1b\n8:pids:/docker/0a1b\n0::/\n", mounts1("/docker/0a1b"), map[string]string{
			"memory/memory.limit_in_bytes": "1073741824\n", "pids/pids.max": "max\n", "pids/pids.current": "5\n"}, gib, 0},
		"version 1, mounted as the root and named otherwise": {"4:memory:/kubepods/pod7/c1\n", mounts1("/"), map[string]string{
			"memory/memory.limit_in_bytes": "1073741824\n"}, gib, 0},
		"several controllers of version 1": {"4:cpuset,memory:/a b\n",
			"35 31 0:32 / /sys/fs/cgroup/cpuset,memory\\040x rw,relatime - cgroup cgroup rw,cpuset,memory\n",
			map[string]string{"cpuset,memory x/a b/memory.limit_in_bytes": "1073741824\n"}, gib, 0},
		"nonsense": {"4:memory\n\n0::\n:::\n", proc2 + "1 2\n - \n", map[string]string{"memory.max": "many\n"}, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			root := fstest.MapFS{"proc/self/cgroup": {Data: []byte(c.cgroup)}, "proc/self/mountinfo": {Data: []byte(c.mountinfo)}}
			for file, text := range c.files {
				root["sys/fs/cgroup/"+file] = &fstest.MapFile{Data: []byte(text)}
			}
			if b := groupMemory(root); b.Bytes != c.memory || b.Limited != (c.memory > 0) {
				t.Errorf("memory %+v, want %d", b, c.memory)
			}
			want := c.threads
			switch want {
			case 0:
				want = math.MaxInt64
			case -1:
				want = 0
			}
			if got := groupThreads(root); got != want {
				t.Errorf("%d more threads, want %d", got, want)
			}
		})
	}
}
