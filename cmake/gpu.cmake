# The device code of the program, as object libraries. Every executable links exactly one of
#   lynceus_no_gpu       no device: the same symbols, and no device is ever found
#   lynceus_gpu          CUDA and NCCL, compiled by nvcc (LYNCEUS_CUDA=ON, the preset "cuda")
#   lynceus_gpu_standin  the sources of lynceus_gpu on a stand-in for the device, for tests
# ${LYNCEUS_GPU} names the one that the program links.

option(LYNCEUS_CUDA "Build for CUDA devices" OFF)

function(lynceus_gpu_globs result)
  set(files)
  foreach(pattern ${ARGN})
    file(GLOB found CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${pattern})
    list(APPEND files ${found})
  endforeach()
  set(${result} ${files} PARENT_SCOPE)
endfunction()

lynceus_gpu_globs(no_gpu_sources core/no_cuda/*.cpp kernels/no_cuda/*.cpp parallel/no_nccl/*.cpp)
lynceus_gpu_globs(LYNCEUS_GPU_SOURCES core/cuda/*.cpp kernels/cuda/*.cpp kernels/cuda/*.cu)
lynceus_gpu_globs(LYNCEUS_NCCL_SOURCES parallel/nccl/*.cpp)
lynceus_gpu_globs(LYNCEUS_NO_NCCL_SOURCES parallel/no_nccl/*.cpp)

add_library(lynceus_no_gpu OBJECT ${no_gpu_sources})
target_link_libraries(lynceus_no_gpu PUBLIC lynceus_core lynceus_parallel)
set(LYNCEUS_GPU lynceus_no_gpu)

# The stand-in needs only the headers of the toolkit; the program needs its libraries too.
find_package(CUDAToolkit 12 QUIET)
find_path(NCCL_INCLUDE_DIR nccl.h HINTS ${CUDAToolkit_INCLUDE_DIRS})

# A100, H100 and H200, B200, RTX PRO 6000; the last one also as PTX, which later devices compile at the
# first start.
if(CUDAToolkit_VERSION VERSION_GREATER_EQUAL 12.8)
  set(architectures "80-real;90a-real;100-real;120")
else()
  set(architectures "80-real;90a-real;90-virtual")
endif()
set(LYNCEUS_CUDA_ARCHITECTURES "${architectures}" CACHE STRING "CUDA architectures to build for")
string(REPLACE ";" " " LYNCEUS_ARCHITECTURE_LIST "${LYNCEUS_CUDA_ARCHITECTURES}")

if(LYNCEUS_CUDA)
  if(NOT CUDAToolkit_FOUND)
    message(FATAL_ERROR "LYNCEUS_CUDA=ON: expected the CUDA toolkit (12 or newer), found none")
  endif()
  set(CMAKE_CUDA_ARCHITECTURES ${LYNCEUS_CUDA_ARCHITECTURES})
  set(CMAKE_CUDA_RUNTIME_LIBRARY Shared)
  set(CMAKE_CUDA_STANDARD 20)
  if(CCACHE_PROGRAM)
    set(CMAKE_CUDA_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
  endif()
  enable_language(CUDA)
  if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)
    # CMake before 3.26 does not know nvcc's option for C++20.
    set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
    set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
  endif()
  find_library(NCCL_LIBRARY nccl HINTS ${CUDAToolkit_LIBRARY_DIR} ${CUDAToolkit_LIBRARY_ROOT}/lib)
  add_library(lynceus_gpu OBJECT ${LYNCEUS_GPU_SOURCES})
  if(NCCL_INCLUDE_DIR AND NCCL_LIBRARY)
    target_sources(lynceus_gpu PRIVATE ${LYNCEUS_NCCL_SOURCES})
    target_include_directories(lynceus_gpu SYSTEM PRIVATE ${NCCL_INCLUDE_DIR})
    target_link_libraries(lynceus_gpu PUBLIC ${NCCL_LIBRARY})
  else()
    message(STATUS "No NCCL: device tensors are sent through host memory")
    target_sources(lynceus_gpu PRIVATE ${LYNCEUS_NO_NCCL_SOURCES})
  endif()
  target_include_directories(lynceus_gpu PRIVATE ${CMAKE_SOURCE_DIR}/kernels/cuda/hardware)
  set_source_files_properties(core/cuda/accelerator.cpp PROPERTIES COMPILE_DEFINITIONS
                              LYNCEUS_CUDA_ARCHITECTURES="${LYNCEUS_ARCHITECTURE_LIST}")
  # nvcc's front end cannot evaluate the compile-time checks of fmt 9.
  target_compile_definitions(lynceus_gpu PRIVATE
                             $<$<COMPILE_LANGUAGE:CUDA>:FMT_CONSTEVAL= FMT_USE_CONSTEXPR=1>)
  target_link_libraries(lynceus_gpu PUBLIC lynceus_core lynceus_parallel CUDA::cudart CUDA::cublasLt)
  set(LYNCEUS_GPU lynceus_gpu)
endif()
