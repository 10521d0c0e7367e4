#include "io/files/hdf5_start.h"

#include "io/files/hdf5.h"

namespace lynceus::io {

void start_hdf5() {
  H5dont_atexit();
  hdf5::silence();
}

}  // namespace lynceus::io
