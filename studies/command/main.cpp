// The command itself: it catches signals and then loads libabsorb.so, and LibTorch with it, which takes a good part of
// a second. A signal that comes meanwhile must not look like a failure to whoever resumes a study.
#include <dlfcn.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <initializer_list>

namespace {

constexpr int ours = 1, resumable = 75;  // studies/command/commands.h

void leave(int) {
  constexpr char line[] = "stopped before anything was trained; the same command begins anew\n";
  const ssize_t ignored = ::write(STDERR_FILENO, line, sizeof line - 1);
  (void)ignored;
  ::_exit(resumable);
}

// From here until the command itself catches them (studies/run/interrupt.h) the three signals end it with the status of
// a run that goes on: nothing is half-written. A file that grows beyond `ulimit -f` is an error of its write.
void catch_first_signals(int argc, char** argv) {
  std::signal(SIGXFSZ, SIG_IGN);
  const auto is = [&](const char* word) {
    for (int i = 1; i < argc; ++i)
      if (std::strcmp(argv[i], word) == 0) return true;
    return false;
  };
  if (is("--worker")) ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (is("run") || is("deploy") || is("compensate") || is("tokens"))
    for (const int signal : {SIGINT, SIGTERM, SIGUSR1}) std::signal(signal, leave);
}

}  // namespace

int main(int argc, char** argv) {
  catch_first_signals(argc, argv);
  // Beside this file or in ../lib: the run path says. Global: plug-ins find its symbols.
  void* library = ::dlopen("libabsorb.so", RTLD_NOW | RTLD_GLOBAL);
  if (library == nullptr) {
    std::fprintf(stderr, "absorb: %s\n", ::dlerror());
    return ours;
  }
  const auto command = reinterpret_cast<int (*)(int, char**)>(::dlsym(library, "absorb_command_line"));
  if (command == nullptr) {
    std::fprintf(stderr, "absorb: %s\n", ::dlerror());
    return ours;
  }
  return command(argc, argv);
}
