// How much memory and how many open files the system would still give this process.
#pragma once

#include <cstdint>
#include <filesystem>

namespace lynceus {

/// Bytes that the node can still give: MemAvailable, or what the process's control group (the job)
/// has left if that is less. 0: not known. `root`: where /proc and /sys are, for tests.
uint64_t free_memory_bytes(const std::filesystem::path& root = "/");

/// Error of ExitCode::kIo, with both numbers, unless this process can open `count` more files.
void expect_open_files(uint64_t count);

}  // namespace lynceus
