// Recognises by its first bytes what a file is that is not what its reader expects: a Git LFS
// pointer, a web page in place of a download, packed data. The readers call refuse_foreign() after
// they have ruled out their own format, whose first bytes may look like another one by chance.
#pragma once

#include <string>
#include <string_view>

#include "core/error.h"

namespace lynceus {

struct ForeignFormat {
  const char* kind;  ///< a few words, for counts: "Git LFS pointer"
  const char* what;  ///< the rest of "FILE is ...", with what to do
};

/// As many first bytes of a file as find_foreign() looks at.
constexpr size_t kForeignHeadBytes = 512;

/// nullptr for bytes that are none of the known formats. No bytes at all are "an empty file".
const ForeignFormat* find_foreign(std::string_view first_bytes);

/// Whether the bytes begin a Git LFS pointer. No other file begins like this.
bool is_lfs_pointer(std::string_view first_bytes);

/// A file of another format than expected. `kind` is a literal.
class ForeignFile : public InputError {
 public:
  ForeignFile(const char* kind, const std::string& message) : InputError(message), kind_(kind) {}
  const char* kind() const { return kind_; }

 private:
  const char* kind_;
};

/// ForeignFile "FILE is ...; expected EXPECTED" (without EXPECTED: "FILE is ...") if find_foreign()
/// knows the bytes.
void refuse_foreign(std::string_view first_bytes, const std::string& file,
                    std::string_view expected);

}  // namespace lynceus
