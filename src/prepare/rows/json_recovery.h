// Where a malformed element of a JSON array ends: one whose brackets or quotes do not match, so
// that they do not say it. The next row is found by its form, so that a stray quote or a missing
// bracket costs one row, as it does in JSONL.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "io/files/file.h"

namespace lynceus::prepare {

class JsonRecovery {
 public:
  /// `is_whole_file`: the array is the file; otherwise it is a member of an object that is.
  JsonRecovery(const io::File& file, bool is_whole_file);

  struct End {
    uint64_t offset = 0;    ///< of the byte after the element
    bool is_found = false;  ///< false: no row and no end of the array follows; `offset` is the
                            ///< size of the file
  };
  /// The end of the element that begins at `begin` and has a fault at `fault`; `text`: where the
  /// last text before the fault begins, or `fault` if the fault comes after a whole value. In this
  /// order:
  ///   1. unless the value is whole, where it ends if quotes inside of texts are taken as
  ///   characters;
  ///   2. before the next object in an array, or before the end of the array. An object is a row if
  ///      it and its neighbors can be followed up to the end of the array, for 64 objects, for 1
  ///      MiB, or up to a further fault; those of a list inside a row end with that list. Objects
  ///      before the fault are rows only if their first key is that of the element.
  End find(uint64_t begin, uint64_t fault, uint64_t text);

  /// Whether a member of an object begins here: a text and a colon.
  bool is_member(uint64_t offset);
  /// Whether the bracket ] at this offset can be the end of the array.
  bool ends_array(uint64_t offset);
  /// Whether a bracket ] that does not end the array is followed by what follows a row.
  bool is_stray_bracket(uint64_t offset);
  /// The next byte that is no white space; the size of the file if there is none.
  uint64_t skip_space(uint64_t offset);

 private:
  char at(uint64_t offset);                        // '\0' after the end
  std::string_view bytes_from(uint64_t offset);    // some, none after the end
  uint64_t end_of_text(uint64_t offset);           // after a quote
  std::string first_key(uint64_t object);          // empty: it has none
  uint64_t end_with_stray_quotes(uint64_t begin);  // 0: there is none
  bool ends_text(uint64_t quote, bool in_object);
  bool may_be_object(uint64_t offset);
  bool has_row_or_line_end(uint64_t begin, uint64_t end);
  bool is_row(uint64_t offset, uint64_t& skip);
  uint64_t end_before(uint64_t next, uint64_t begin);

  const io::File& file_;
  const uint64_t size_;
  const bool is_whole_file_;
  std::string chunk_;
  uint64_t chunk_begin_ = 0;
};

}  // namespace lynceus::prepare
