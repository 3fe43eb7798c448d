// The child side of a spawn: between vfork and execve only async-signal-safe C may run, so it cannot be Swift.
#include "CLinux.h"

#include <grp.h>
#include <limits.h>
#include <sys/resource.h>

#ifndef SECBIT_NOROOT
#include <linux/securebits.h>
#endif

// Everything above standard error, whether or not it was opened close-on-exec.
static void close_above_stderr(void) {
    if (close_range(3, ~0U, 0) == 0) return;
    struct rlimit limit;
    int highest = 1024;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 65536) highest = (int)limit.rlim_cur;
    for (int number = 3; number < highest; number++) close(number);
}

// A program that is not ours gets no privilege, also where the daemon itself was started with some.
static void drop_privilege(void) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[2] = {{0, 0, 0}, {0, 0, 0}};
    // Each fails harmlessly where there was nothing to drop.
    prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED, 0, 0, 0);
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    syscall(SYS_capset, &header, none);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static void __attribute__((noreturn, noinline)) become(
    const char *path, char *const arguments[], char *const environment[], int input, int output, pid_t parent,
    volatile int *error
) {
    // The kernel's own call, since glibc's sigaction refuses the two signals it keeps for itself. All zero is SIG_DFL.
    unsigned long standard[4] = {0, 0, 0, 0};
    for (int number = 1; number <= 64; number++) syscall(SYS_rt_sigaction, number, standard, NULL, 8);
    if (setsid() < 0) goto failed;
    // The parent thread lives as long as the daemon; should it have died before this line, nobody would tell us.
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) goto failed;
    if (getppid() != parent) _exit(127);
    if (dup2(input, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0) goto failed;
    close_above_stderr();
    if (chdir("/") != 0) goto failed;
    umask(077);
    drop_privilege();
    sigset_t empty;
    sigemptyset(&empty);
    sigprocmask(SIG_SETMASK, &empty, NULL);
    execve(path, arguments, environment);
failed:
    *error = errno;
    _exit(127);
}

int taut_spawn(
    const char *path, char *const arguments[], char *const environment[], int input, int output, pid_t *pid,
    int *pidfd
) {
    // vfork shares our memory until execve, so that a large daemon neither copies page tables nor faults afterwards.
    volatile int error = 0;
    pid_t parent = getpid();
    sigset_t all, before;
    sigfillset(&all);
    // A handler that ran in the child would run on our stack.
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t child = vfork();
    if (child == 0) become(path, arguments, environment, input, output, parent, &error);
    int failure = child < 0 ? errno : error;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (child < 0) return failure;
    int descriptor = failure == 0 ? (int)syscall(SYS_pidfd_open, child, 0) : -1;
    if (failure == 0 && descriptor < 0) {
        failure = errno;
        kill(-child, SIGKILL);
    }
    if (failure != 0) {
        while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {}
        return failure;
    }
    *pid = child;
    *pidfd = descriptor;
    return 0;
}
