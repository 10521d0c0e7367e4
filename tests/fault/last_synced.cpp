// Loaded before a program (LD_PRELOAD): keeps in the folder SYNCED what a loss of power leaves for
// certain. At an fsync of a file its content goes to SYNCED/KEY.data, at an fsync of a folder its
// names go to SYNCED/KEY.names, one "KEY TYPE NAME" a line. KEY is "inode-seconds.nanoseconds" of
// the birth of the file: numbers of inodes are used again.
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

struct Entry {
  std::string key;
  char type = '?';  // of a file, folder or link: f, d, l
};

Entry entry_of(int folder, const char* name, int flags) {
  struct statx info {};
  if (statx(folder, name, flags | AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME, &info) != 0)
    return {};
  char key[64];
  std::snprintf(key, sizeof key, "%llu-%lld.%09u", static_cast<unsigned long long>(info.stx_ino),
                static_cast<long long>(info.stx_btime.tv_sec), info.stx_btime.tv_nsec);
  const char type = S_ISDIR(info.stx_mode) ? 'd' : S_ISLNK(info.stx_mode) ? 'l' : 'f';
  return {key, type};
}

std::string opened_again(int descriptor) { return "/proc/self/fd/" + std::to_string(descriptor); }

std::string content_of(int descriptor) {
  std::string content;
  FILE* file = std::fopen(opened_again(descriptor).c_str(), "rb");
  if (file == nullptr) return content;
  char part[1 << 16];
  while (const size_t size = std::fread(part, 1, sizeof part, file)) content.append(part, size);
  std::fclose(file);
  return content;
}

std::string names_in(int descriptor) {
  std::string lines;
  DIR* folder = opendir(opened_again(descriptor).c_str());
  if (folder == nullptr) return lines;
  while (const dirent* item = readdir(folder)) {
    const std::string name = item->d_name;
    if (name == "." || name == "..") continue;
    const Entry entry = entry_of(dirfd(folder), item->d_name, 0);
    if (!entry.key.empty()) lines += entry.key + " " + entry.type + " " + name + "\n";
  }
  closedir(folder);
  return lines;
}

/// The file appears as a whole.
void keep(const std::string& name, const std::string& content) {
  static std::atomic<int> number{0};
  const std::string target = std::string(std::getenv("SYNCED")) + "/" + name;
  const std::string part = target + "." + std::to_string(getpid()) + "-" + std::to_string(++number);
  FILE* file = std::fopen(part.c_str(), "wb");
  if (file == nullptr) std::abort();
  std::fwrite(content.data(), 1, content.size(), file);
  std::fclose(file);
  std::rename(part.c_str(), target.c_str());
}

}  // namespace

extern "C" int fsync(int descriptor) {
  static const auto call = reinterpret_cast<int (*)(int)>(dlsym(RTLD_NEXT, "fsync"));
  const int result = call(descriptor);
  const Entry entry = entry_of(descriptor, "", AT_EMPTY_PATH);
  if (result != 0 || std::getenv("SYNCED") == nullptr) return result;
  if (entry.type == 'f') keep(entry.key + ".data", content_of(descriptor));
  if (entry.type == 'd') keep(entry.key + ".names", names_in(descriptor));
  return result;
}
