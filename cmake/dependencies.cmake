# The libraries of this project, all of them Debian packages (tools/setup.sh installs them). Everything that
# is missing is reported in one message; docs/building.md says what to do.

set(missing)
# lynceus_need(FOUND TEXT): adds TEXT to the missing libraries where FOUND is false.
macro(lynceus_need found text)
  if(NOT ${found})
    list(APPEND missing "${text}")
  endif()
endmacro()

find_package(fmt QUIET)
lynceus_need(fmt_FOUND "fmt (Debian: libfmt-dev)")
find_package(spdlog QUIET)
lynceus_need(spdlog_FOUND "spdlog (Debian: libspdlog-dev)")
find_package(nlohmann_json QUIET)
lynceus_need(nlohmann_json_FOUND "nlohmann's JSON (Debian: nlohmann-json3-dev)")
find_package(Boost 1.74 QUIET COMPONENTS program_options)
lynceus_need(Boost_FOUND "Boost.Program_options 1.74 or newer (Debian: libboost-program-options-dev)")
find_package(OpenMP QUIET COMPONENTS CXX)
lynceus_need(OpenMP_CXX_FOUND "OpenMP for C++ (a compiler with -fopenmp)")
find_package(MPI QUIET COMPONENTS C)
lynceus_need(MPI_C_FOUND "MPI for C (Debian: libopenmpi-dev, elsewhere put mpicc on the PATH or set MPI_HOME)")
find_package(JPEG QUIET)
lynceus_need(JPEG_FOUND "libjpeg (Debian: libjpeg-dev)")
find_package(PNG QUIET)
lynceus_need(PNG_FOUND "libpng (Debian: libpng-dev)")
find_package(GIF 5 QUIET)
lynceus_need(GIF_FOUND "giflib 5 (Debian: libgif-dev)")
find_package(TIFF 4.5 QUIET)
lynceus_need(TIFF_FOUND "libtiff 4.5 or newer (Debian: libtiff-dev)")
find_package(LibArchive QUIET)
lynceus_need(LibArchive_FOUND "libarchive (Debian: libarchive-dev)")
find_package(ICU QUIET COMPONENTS uc)
lynceus_need(ICU_FOUND "ICU (Debian: libicu-dev)")
find_package(PkgConfig QUIET)
lynceus_need(PkgConfig_FOUND "pkg-config (Debian: pkg-config)")
if(PkgConfig_FOUND)
  pkg_check_modules(sentencepiece QUIET IMPORTED_TARGET sentencepiece)
  pkg_check_modules(webp QUIET IMPORTED_TARGET libwebp libwebpdemux)
  pkg_check_modules(xxhash QUIET IMPORTED_TARGET libxxhash)
  # Only lynceus-frames uses FFmpeg.
  pkg_check_modules(FFMPEG QUIET IMPORTED_TARGET libavformat libavcodec libswscale libavutil)
  if(NOT FFMPEG_FOUND)
    message(STATUS "No FFmpeg (Debian: libavformat-dev, libswscale-dev): `prepare video` is left out")
  endif()
endif()
lynceus_need(sentencepiece_FOUND "SentencePiece (Debian: libsentencepiece-dev, pkg-config name sentencepiece)")
lynceus_need(webp_FOUND "libwebp (Debian: libwebp-dev, pkg-config names libwebp, libwebpdemux)")
lynceus_need(xxhash_FOUND "xxHash (Debian: libxxhash-dev, pkg-config name libxxhash)")

set(HDF5_PREFER_PARALLEL ON)
find_package(HDF5 QUIET COMPONENTS C)
if(HDF5_FOUND AND NOT HDF5_IS_PARALLEL)
  lynceus_need(HDF5_IS_PARALLEL
               "a parallel HDF5 (Debian: libhdf5-openmpi-dev), found a serial one in ${HDF5_INCLUDE_DIRS}")
else()
  lynceus_need(HDF5_FOUND "a parallel HDF5 (Debian: libhdf5-openmpi-dev, elsewhere set HDF5_ROOT)")
endif()

# Not find_package(dnnl): Debian's dnnl-config.cmake requires OpenCL, which the CPU library does not need.
find_path(DNNL_INCLUDE_DIR oneapi/dnnl/dnnl.hpp)
find_library(DNNL_LIBRARY dnnl)
if(DNNL_INCLUDE_DIR AND DNNL_LIBRARY)
  set(DNNL_FOUND TRUE)
endif()
lynceus_need(DNNL_FOUND "oneDNN (Debian: libdnnl-dev)")

if(LYNCEUS_TESTS)
  find_package(GTest QUIET)
  lynceus_need(GTest_FOUND "GoogleTest (Debian: libgtest-dev, libgmock-dev, or -DLYNCEUS_TESTS=OFF)")
endif()
if(LYNCEUS_BENCH)
  find_package(benchmark QUIET)
  lynceus_need(benchmark_FOUND "Google Benchmark (Debian: libbenchmark-dev, or -DLYNCEUS_BENCH=OFF)")
  find_library(OPENBLAS_LIBRARY openblas)  # a peer of the GEMM benchmark only
endif()

if(missing)
  list(JOIN missing "\n  " missing)
  message(FATAL_ERROR "Not found:\n  ${missing}\n"
                      "On Debian and Ubuntu tools/setup.sh installs them. Libraries in folders of their "
                      "own, as on a cluster: docs/building.md.")
endif()

add_library(lynceus_hdf5 INTERFACE IMPORTED)
target_include_directories(lynceus_hdf5 SYSTEM INTERFACE ${HDF5_INCLUDE_DIRS})
target_link_libraries(lynceus_hdf5 INTERFACE ${HDF5_C_LIBRARIES} MPI::MPI_C)

add_library(dnnl::dnnl UNKNOWN IMPORTED)
set_target_properties(dnnl::dnnl PROPERTIES IMPORTED_LOCATION ${DNNL_LIBRARY}
                      INTERFACE_INCLUDE_DIRECTORIES ${DNNL_INCLUDE_DIR})
