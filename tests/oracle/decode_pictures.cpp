// Decodes the pictures of a folder for pillow.sh: writes FILE.ppm next to each, or FILE.refused
// with the message. Both come from decode_image() of the product.
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "core/error.h"
#include "io/files/file.h"
#include "io/media/image.h"

int main(int count, char** arguments) {
  using namespace lynceus;
  namespace fs = std::filesystem;
  if (count != 2) return 2;
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(arguments[1])) files.push_back(entry.path());
  for (const fs::path& file : files) {
    try {
      const io::Image image = io::decode_image(io::read_text(file), file.filename().string());
      const std::string head = fmt::format("P6 {} {} 255\n", image.width, image.height);
      io::atomic_write_text(file.string() + ".ppm",
                            head + std::string(image.rgb.begin(), image.rgb.end()));
    } catch (const InputError& error) {
      io::atomic_write_text(file.string() + ".refused", error.what());
    }
  }
  return 0;
}
