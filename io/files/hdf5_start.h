// Starts the HDF5 library so that it survives a file that it could not close.
#pragma once

namespace lynceus::io {

/// Call once, before MPI starts. A file whose last bytes find no space cannot be closed: H5Fclose
/// fails, but the library keeps the freed file in its tables and closes it again when it ends,
/// which crashes. Started before MPI, the library does not end in MPI_Finalize; nor does it at
/// exit. Every file is closed by its handle (io/files/hdf5.h), so nothing is left to write then.
void start_hdf5();

}  // namespace lynceus::io
