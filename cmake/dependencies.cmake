# The libraries of this project, all Debian packages (tools/setup.sh installs them).

find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(Boost 1.74 REQUIRED COMPONENTS program_options)
find_package(OpenMP REQUIRED COMPONENTS CXX)
find_package(MPI REQUIRED COMPONENTS C)
find_package(JPEG REQUIRED)
find_package(PNG REQUIRED)
find_package(LibArchive REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(sentencepiece REQUIRED IMPORTED_TARGET sentencepiece)
pkg_check_modules(webp REQUIRED IMPORTED_TARGET libwebp)
pkg_check_modules(xxhash REQUIRED IMPORTED_TARGET libxxhash)

# Of lynceus-frames alone.
pkg_check_modules(FFMPEG QUIET IMPORTED_TARGET libavformat libavcodec libswscale libavutil)
if(NOT FFMPEG_FOUND)
  message(STATUS "No FFmpeg (libavformat-dev, libswscale-dev): videos cannot be prepared")
endif()

set(HDF5_PREFER_PARALLEL ON)
find_package(HDF5 REQUIRED COMPONENTS C)
if(NOT HDF5_IS_PARALLEL)
  message(FATAL_ERROR "a parallel HDF5 is needed (Debian: libhdf5-openmpi-dev), found a serial one "
                      "in ${HDF5_INCLUDE_DIRS}")
endif()
add_library(lynceus_hdf5 INTERFACE IMPORTED)
target_include_directories(lynceus_hdf5 SYSTEM INTERFACE ${HDF5_INCLUDE_DIRS})
target_link_libraries(lynceus_hdf5 INTERFACE ${HDF5_C_LIBRARIES} MPI::MPI_C)

# Debian's dnnl-config.cmake insists on OpenCL, which the CPU library does not need.
find_path(DNNL_INCLUDE_DIR oneapi/dnnl/dnnl.hpp REQUIRED)
find_library(DNNL_LIBRARY dnnl REQUIRED)
add_library(dnnl::dnnl UNKNOWN IMPORTED)
set_target_properties(dnnl::dnnl PROPERTIES IMPORTED_LOCATION ${DNNL_LIBRARY}
                      INTERFACE_INCLUDE_DIRECTORIES ${DNNL_INCLUDE_DIR})

if(LYNCEUS_TESTS)
  find_package(GTest REQUIRED)
endif()
if(LYNCEUS_BENCH)
  find_package(benchmark REQUIRED)
  find_library(OPENBLAS_LIBRARY openblas)  # a peer of the GEMM benchmark only
endif()
