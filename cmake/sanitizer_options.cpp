// In sanitized builds only, in every executable, so that started programs have them too: Open MPI's
// start takes memory that it never gives back, in libraries that are unloaded before the leaks are
// told, which only unwinding by tables can trace back to it. HDF5 loses a block when a full disk
// stops its close.

// What the linker is told to ask for, so that this file is taken out of its library.
extern "C" const int lynceus_sanitizer_options = 1;

extern "C" const char* __asan_default_options() { return "fast_unwind_on_malloc=0"; }
extern "C" const char* __lsan_default_options() { return "print_suppressions=0"; }
extern "C" const char* __lsan_default_suppressions() {
  return "leak:libmpi.so\n"
         "leak:libopen-rte.so\n"
         "leak:libopen-pal.so\n"
         "leak:libevent\n"
         "leak:H5F__accum_write\n";
}
