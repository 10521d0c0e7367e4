// Options of the sanitizers, linked into every executable of a sanitized build, so that programs
// that a test starts have them too. Open MPI allocates memory at its start that it never frees, in
// libraries that are unloaded before leaks are reported; only slow unwinding can attribute it. HDF5
// loses a block when a full disk makes its close fail.

// The linker is asked for this symbol, so that it takes this file from its library.
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
