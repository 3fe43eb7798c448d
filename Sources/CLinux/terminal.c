#include "CLinux.h"
#include <errno.h>
#include <signal.h>
#include <string.h>

// Only async-signal-safe C may run in the handler of a crash: this cannot be written in Swift.

// What ends a process, less the signals that are taken as wishes and SIGKILL. SIGPIPE is ignored.
static const int deadly[] = {SIGSEGV, SIGBUS,  SIGILL,  SIGFPE,  SIGTRAP, SIGABRT,   SIGSYS,
                             SIGALRM, SIGUSR1, SIGUSR2, SIGXCPU, SIGXFSZ, SIGVTALRM, SIGPROF};
enum { count = sizeof deadly / sizeof deadly[0] };

static struct sigaction before[count];
static struct termios saved;
static char words[64];
static size_t wordsLength;
static int terminal = -1;
// Set last and cleared first; a signal handler may read no other type.
static volatile sig_atomic_t isGuarded;

static void farewell(int number) {
    int code = errno;
    if (isGuarded) {
        isGuarded = 0;
        // From the background the terminal is another's.
        pid_t group = tcgetpgrp(terminal);
        if (group < 0 || group == getpgrp()) {
            if (write(terminal, words, wordsLength) < 0) { /* It is gone: nothing is left to restore. */ }
            tcsetattr(terminal, TCSANOW, &saved);
        }
    }
    for (int index = 0; index < count; index++) {
        if (deadly[index] == number) sigaction(number, &before[index], NULL);
    }
    // Pending until this handler returns; a fault happens again by itself, and is the same.
    raise(number);
    errno = code;
}

void taut_guard_terminal(int descriptor, const struct termios *settings, const void *text, size_t length) {
    taut_release_terminal();
    terminal = descriptor;
    saved = *settings;
    wordsLength = length < sizeof words ? length : sizeof words;
    memcpy(words, text, wordsLength);
    isGuarded = 1;
    struct sigaction action = {0};
    action.sa_handler = farewell;
    action.sa_flags = SA_ONSTACK;
    // Giving a terminal back must not stop us half-way.
    sigfillset(&action.sa_mask);
    for (int index = 0; index < count; index++) sigaction(deadly[index], &action, &before[index]);
}

void taut_release_terminal(void) {
    if (!isGuarded) return;
    isGuarded = 0;
    for (int index = 0; index < count; index++) sigaction(deadly[index], &before[index], NULL);
}
