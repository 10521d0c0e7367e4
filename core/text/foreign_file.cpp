#include "core/text/foreign_file.h"

#include "core/text/ascii.h"

namespace lynceus {
namespace {

// clang-tidy 14 does not see the use of a literal operator.
using std::string_view_literals::operator""sv;  // NOLINT(misc-unused-using-decls)

constexpr std::string_view kLfsBegin = "version https://git-lfs.github.com/spec/";

struct Signature {
  std::string_view bytes;
  ForeignFormat format;
};

// What begins with the same bytes for every file of the format.
constexpr Signature kSignatures[] = {
    {"\x1F\x8B"sv, {"gzip data", "gzip data: unpack it first (gunzip)"}},
    {"\xFD"
     "7zXZ\0"sv,
     {"xz data", "xz data: unpack it first (unxz)"}},
    {"\x28\xB5\x2F\xFD"sv, {"zstd data", "zstd data: unpack it first (unzstd)"}},
    {"PK\x03\x04"sv, {"zip archive", "a zip archive: unpack it first (unzip)"}},
    {"PK\x05\x06"sv, {"zip archive", "an empty zip archive"}},
    {"7z\xBC\xAF\x27\x1C"sv, {"7z archive", "a 7z archive: unpack it first"}},
    {"Rar!\x1A\x07"sv, {"rar archive", "a rar archive: unpack it first"}},
    {"PAR1\x15"sv, {"parquet file", "a parquet file: convert it to JSONL first"}},
    {"ARROW1\0"sv, {"arrow file", "an Arrow file: convert it to JSONL first"}},
    {"\x89HDF\r\n\x1A\n"sv, {"HDF5 file", "an HDF5 file"}},
    {"%PDF-"sv, {"PDF document", "a PDF document"}},
    {"\x89PNG\r\n\x1A\n"sv, {"PNG picture", "a PNG picture"}},
    {"\xFF\xD8\xFF"sv, {"JPEG picture", "a JPEG picture"}},
    {"GIF87a"sv, {"GIF picture", "a GIF picture"}},
    {"GIF89a"sv, {"GIF picture", "a GIF picture"}},
    {"GGUF\2\0"sv, {"GGUF file", "a GGUF file (llama.cpp), which is not read"}},
    {"GGUF\3\0"sv, {"GGUF file", "a GGUF file (llama.cpp), which is not read"}},
    {"\x7F"
     "ELF"sv,
     {"program", "a program"}},
};

constexpr ForeignFormat kEmpty = {"empty file", "an empty file"};
constexpr ForeignFormat kLfsPointer = {"Git LFS pointer",
                                       "a Git LFS pointer, not the file: run git lfs pull"};
constexpr ForeignFormat kUtf16 = {"UTF-16 text",
                                  "text in UTF-16: convert it to UTF-8 (iconv -f UTF-16)"};
constexpr ForeignFormat kUtf32 = {"UTF-32 text",
                                  "text in UTF-32: convert it to UTF-8 (iconv -f UTF-32)"};
constexpr ForeignFormat kBzip2 = {"bzip2 data", "bzip2 data: unpack it first (bunzip2)"};
constexpr ForeignFormat kHtml = {"HTML page", "an HTML page (did the download fail?)"};
constexpr ForeignFormat kXml = {"XML document", "an XML document (did the download fail?)"};
constexpr ForeignFormat kSvg = {"picture format that is not read: SVG", "an SVG drawing"};
constexpr ForeignFormat kTar = {"tar archive", "a tar archive: unpack it first"};

bool is_bzip2(std::string_view bytes) {
  return bytes.starts_with("BZh") && bytes.size() >= 10 && bytes.substr(4, 6) == "1AY&SY";
}

/// By the magic and version of POSIX or of old GNU tar. "mustard" at that place is text.
bool is_tar(std::string_view bytes) {
  constexpr size_t kMagicAt = 257;
  if (bytes.size() <= kMagicAt) return false;
  const std::string_view magic = bytes.substr(kMagicAt);
  return magic.starts_with("ustar\0"sv) || magic.starts_with("ustar  \0"sv);
}

const ForeignFormat* find_markup(std::string_view bytes) {
  if (bytes.starts_with("\xEF\xBB\xBF")) bytes.remove_prefix(3);
  const size_t first = bytes.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos || bytes[first] != '<') return nullptr;
  const std::string text = ascii_lower(bytes.substr(first));
  if (text.starts_with("<!doctype svg") || text.starts_with("<svg")) return &kSvg;
  for (const char* begin : {"<!doctype html", "<html", "<head", "<body"}) {
    if (text.starts_with(begin)) return &kHtml;
  }
  if (!text.starts_with("<?xml")) return nullptr;
  if (text.find("<svg") != std::string::npos) return &kSvg;
  return text.find("<html") != std::string::npos ? &kHtml : &kXml;
}

}  // namespace

bool is_lfs_pointer(std::string_view first_bytes) { return first_bytes.starts_with(kLfsBegin); }

const ForeignFormat* find_foreign(std::string_view first_bytes) {
  if (first_bytes.empty()) return &kEmpty;
  if (is_lfs_pointer(first_bytes)) return &kLfsPointer;
  if (is_bzip2(first_bytes)) return &kBzip2;
  for (const Signature& signature : kSignatures) {
    if (first_bytes.starts_with(signature.bytes)) return &signature.format;
  }
  if (is_tar(first_bytes)) return &kTar;
  if (first_bytes.starts_with("\xFF\xFE\0\0"sv) || first_bytes.starts_with("\0\0\xFE\xFF"sv))
    return &kUtf32;
  if (first_bytes.starts_with("\xFF\xFE"sv) || first_bytes.starts_with("\xFE\xFF"sv))
    return &kUtf16;
  return find_markup(first_bytes);
}

void refuse_foreign(std::string_view first_bytes, const std::string& file,
                    std::string_view expected) {
  const ForeignFormat* format = find_foreign(first_bytes.substr(0, kForeignHeadBytes));
  if (format == nullptr) return;
  throw ForeignFile(format->kind, expected.empty() ? fmt::format("{} is {}", file, format->what)
                                                   : fmt::format("{} is {}; expected {}", file,
                                                                 format->what, expected));
}

}  // namespace lynceus
