// The table of contents of a zip archive of stored (uncompressed) entries, zip64 included: where in
// the file each entry's bytes lie. Torch files are such archives. (PKWARE's APPNOTE: end record,
// central directory, and before each entry's bytes a local header.)
//
// Nothing is believed: the directory must lie inside the file and have exactly the entries it
// claims, names are unique, every entry is stored, unencrypted, inside the file and before the
// directory, no two share a byte, and its local header gives the same name. Sums of contents
// (CRC-32) are not checked: that would read every byte.
//
// Errors: InputError naming file and entry.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "io/files/file.h"

namespace lynceus::io {

struct ZipEntry {
  std::string name;
  uint64_t begin = 0;  ///< byte of the file where the contents begin
  uint64_t size = 0;   ///< bytes
};

/// Whether the file begins as a zip archive does.
bool is_zip(const File& file);

/// In the order of the directory.
std::vector<ZipEntry> read_zip_entries(const File& file);

}  // namespace lynceus::io
