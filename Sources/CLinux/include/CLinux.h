// Headers of Linux that Swift's Glibc module does not expose, and the few calls that glibc 2.36 does not wrap.
// No logic lives here: a function below is there only because a macro or a variadic call cannot be imported.
#ifndef TAUTLINE_CLINUX_H
#define TAUTLINE_CLINUX_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

// Swift's own Glibc and Dispatch modules are built without _GNU_SOURCE, where fd_set has another member name; two
// forms of one type do not go into one program.
#include <features.h>
#pragma push_macro("__USE_XOPEN")
#undef __USE_XOPEN
#include <sys/select.h>
#pragma pop_macro("__USE_XOPEN")


#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <string.h>
#include <unistd.h>
#include <ifaddrs.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <net/if.h>
#include <linux/capability.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <linux/errqueue.h>
#include <linux/filter.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/neighbour.h>
#include <linux/net_tstamp.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/ethernet.h>
#include <termios.h>


// <linux/icmp.h> collides with <netinet/ip_icmp.h>; this is the only name of it that is needed.
#define TAUT_ICMP_FILTER 1

// prctl is variadic: names the calling thread, at most 15 bytes.
static inline int taut_name_thread(const char *_Nonnull name) { return prctl(PR_SET_NAME, name, 0, 0, 0); }

// The same call with numbers only; pointers never go through here.
static inline int taut_prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d) {
    return prctl(option, a, b, c, d);
}

// capset(2) has no wrapper in glibc, and its structures hold a two-element array. Empties all three sets.
static inline int taut_clear_capabilities(void) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {{0, 0, 0}, {0, 0, 0}};
    return (int)syscall(SYS_capset, &header, data);
}

static inline int taut_gettid(void) { return (int)syscall(SYS_gettid); }

// open(2) is variadic for its mode.
static inline int taut_open(const char *_Nonnull path, int flags, mode_t mode) { return open(path, flags, mode); }

// ioctl(2) is variadic for its argument.
static inline int taut_ioctl(int descriptor, unsigned long request, void *_Nullable argument) {
    return ioctl(descriptor, request, argument);
}

// Starts a program in a session and process group of its own, with `input` as standard input, `output` as standard
// output and error (both must be above 2), no other descriptor, default signals, directory /, no capability, and
// SIGKILL when the calling thread ends. Returns 0 or the error number, also when the program cannot be executed.
int taut_spawn(
    const char *_Nonnull path, char *_Nullable const *_Nonnull arguments, char *_Nullable const *_Nonnull environment,
    int input, int output, pid_t *_Nonnull pid, int *_Nonnull pidfd);

// While it is set, a signal that would end the process first writes `farewell` to `descriptor` and gives it back
// `settings`, if it is the terminal of our process group; then the signal has its way as before. One terminal at a time.
void taut_guard_terminal(
    int descriptor, const struct termios *_Nonnull settings, const void *_Nonnull farewell, size_t length);
void taut_release_terminal(void);

// accept4(2) takes its address through a transparent union, which Swift cannot name; nobody here wants the address.
static inline int taut_accept(int descriptor, int flags) { return accept4(descriptor, NULL, NULL, flags); }

// pidfd_open(2) and pidfd_send_signal(2) have no wrapper in glibc 2.36.
static inline int taut_pidfd_open(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }
static inline int taut_pidfd_signal(int pidfd, int number) {
    return (int)syscall(SYS_pidfd_send_signal, pidfd, number, (void *)0, 0);
}

// unshare(2) is hidden behind _GNU_SOURCE in the module of <sched.h>.
static inline int taut_unshare(int flags) { return unshare(flags); }

// Asks the processor for a cache line that will be read and written soon; any address is allowed.
static inline void taut_prefetch(const void *_Nonnull address) { __builtin_prefetch(address, 1, 3); }

// Glibc's own module leaves out <stdio_ext.h>. The stream is for one thread from now on, so calls take no lock.
static inline void taut_own_stream(FILE *_Nonnull stream) { __fsetlocking(stream, FSETLOCKING_BYCALLER); }

static inline int taut_setns(int descriptor, int kind) { return setns(descriptor, kind); }

#endif
