// Reads the directory of a zip archive, zip64 included, whose entries are stored without
// compression, as in torch files. Format: PKWARE's APPNOTE (end record, central directory, and a
// local header before the contents of each entry).
//
// The file is untrusted. Checked: the directory is inside the file and has as many entries as the
// end record says; names are unique; every entry is stored, unencrypted and before the directory;
// no two entries overlap; and each local header has the same name. The CRC-32 of the contents is
// not checked, because that reads every byte.
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

/// Whether the file begins with the signature of a zip archive.
bool is_zip(const File& file);

/// All entries, in the order of the directory.
std::vector<ZipEntry> read_zip_entries(const File& file);

}  // namespace lynceus::io
