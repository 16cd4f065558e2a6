#include "tests/unit/storage/temporary_directory.hpp"

#include <ranged/storage/document_root.hpp>

#include <doctest/doctest.h>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <map>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

namespace {

using ranged::DirectoryEntry;
using ranged::DocumentRoot;
using ranged::DocumentRootOptions;
using ranged::LocalFile;
using ranged::StorageError;
using ranged::testing::DescriptorLeakCheck;
using ranged::testing::DescriptorShortage;
using ranged::testing::open_descriptors;
using ranged::testing::TemporaryDirectory;
using ranged::testing::WithoutPrivileges;

std::unique_ptr<DocumentRoot> open_root(const std::filesystem::path& path, const DocumentRootOptions& options) {
  auto root = DocumentRoot::open(path, options);
  REQUIRE(root);
  return std::move(*root);
}

// What a request for `name` comes to: the file's contents, or the error's message.
std::string get(const DocumentRoot& root, std::string_view name) {
  const auto file = root.open_file(name);
  if (!file) return "<" + file.error().message() + ">";
  std::string bytes(100, '?');
  const iovec buffer{bytes.data(), bytes.size()};
  bytes.resize((*file)->read(0, {&buffer, 1}).value());
  return bytes;
}

using Listing = std::map<std::string, DirectoryEntry>;

Listing list(const DocumentRoot& root, std::string_view name) {
  Listing listing;
  const auto listed =
      root.list(name, [&](const DirectoryEntry& entry) { return listing.emplace(entry.name, entry).second; });
  REQUIRE(listed);
  return listing;
}

std::string names(const Listing& listing) {
  std::string result;
  for (const auto& [name, entry] : listing) {
    result += name + (entry.kind == DirectoryEntry::Kind::directory ? "/ " : " ");
  }
  return result;
}

const std::string not_found = "<not found>";
const std::string not_regular = "<not a regular file>";
const std::string is_directory = "<is a directory>";

// A root beside a file that nothing may reach, with every kind of thing in it.
struct Tree {
  Tree() {
    directory.file("secret", "secret");
    std::filesystem::create_directories(root() / "docs/deep/er");
    directory.file("root/top", "top");
    directory.file("root/docs/page", "page");
    directory.file("root/docs/deep/er/leaf", "leaf");
  }
  [[nodiscard]] std::filesystem::path root() const { return directory / "root"; }
  void link(const std::string& target, const std::string& name) const {
    REQUIRE(::symlink(target.c_str(), (root() / name).c_str()) == 0);
  }
  TemporaryDirectory directory;
};

// Runs `test` in a child whose calls of openat2 fail with `error`, as under an old kernel or a seccomp filter; true
// when it returned true.
template <typename Test>
bool with_openat2_refused(unsigned error, Test test) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    std::array<sock_filter, 4> program{
        sock_filter{BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)},
        sock_filter{BPF_JMP | BPF_JEQ | BPF_K, 0, 1, SYS_openat2},
        sock_filter{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | error},
        sock_filter{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
    };
    const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) ::_exit(2);
    if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) ::_exit(3);
    ::_exit(test() ? 0 : 1);
  }
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// The two ways of resolving: every test of names runs with each.
using Openat2 = std::true_type;
using Fallback = std::false_type;

}  // namespace

TEST_CASE_TEMPLATE("DocumentRoot resolves the same with openat2 and without", Way, Openat2, Fallback) {
  const DescriptorLeakCheck leaks;
  const Tree tree;
  DocumentRootOptions options;
  SUBCASE("openat2") {
    options.use_openat2 = true;
  }
  SUBCASE("fallback") {
    options.use_openat2 = false;
  }
  CAPTURE(options.use_openat2);
  const auto root = open_root(tree.root(), options);
  if (!options.use_openat2) CHECK(root->uses_fallback());
  CHECK(root->single_file().empty());

  SUBCASE("files and directories") {
    CHECK(get(*root, "top") == "top");
    CHECK(get(*root, "docs/page") == "page");
    CHECK(get(*root, "docs/deep/er/leaf") == "leaf");
    CHECK(get(*root, "docs") == is_directory);
    CHECK(get(*root, "docs/deep") == is_directory);
    CHECK(get(*root, "none") == not_found);
    CHECK(get(*root, "docs/none") == not_found);
    CHECK(get(*root, "none/page") == not_found);
    CHECK(get(*root, "top/page") == not_found);
  }

  SUBCASE("names that may not be asked for") {
    for (const std::string_view name :
         {"", "/", "/top", "top/", "docs/", "docs//page", "//top", ".", "..", "./top", "docs/.", "docs/..", "../secret",
          "docs/../top", "docs/../../secret", "docs/./page", "../root/top", ".../top"}) {
      CAPTURE(name);
      CHECK(get(*root, name) == not_found);
    }
    CHECK(get(*root, std::string_view("top\0", 4)) == not_found);
    CHECK(get(*root, std::string_view("top\0.txt", 8)) == not_found);
    CHECK(get(*root, std::string_view("\0", 1)) == not_found);
    CHECK(get(*root, std::string(256, 'n')) == not_found);
    CHECK(get(*root, std::string(5000, 'n')) == not_found);
    std::string deep;
    for (int i = 0; i < 3000; ++i) deep += "d/";
    CHECK(get(*root, deep + "d") == not_found);
  }

  SUBCASE("symlinks that stay inside are followed") {
    tree.link("top", "file-link");
    tree.link("docs", "directory-link");
    tree.link("../top", "docs/up");
    tree.link("../../../docs/./deep//er/../../page", "docs/deep/er/around");
    tree.link("file-link", "link-link");
    tree.link("directory-link/deep", "through");
    tree.link(".", "self");
    tree.link("docs/deep/..", "back");
    CHECK(get(*root, "file-link") == "top");
    CHECK(get(*root, "link-link") == "top");
    CHECK(get(*root, "directory-link/page") == "page");
    CHECK(get(*root, "directory-link/up") == "top");
    CHECK(get(*root, "docs/up") == "top");
    CHECK(get(*root, "docs/deep/er/around") == "page");
    CHECK(get(*root, "through/er/leaf") == "leaf");
    CHECK(get(*root, "through/er/around") == "page");
    CHECK(get(*root, "self/self/self/top") == "top");
    CHECK(get(*root, "directory-link") == is_directory);
    CHECK(get(*root, "self") == is_directory);
    CHECK(get(*root, "back/page") == "page");
    CHECK(get(*root, "file-link/x") == not_found);
  }

  SUBCASE("symlinks that lead out, nowhere, round in circles or to an absolute name are not") {
    tree.link("../secret", "out");
    tree.link("docs/../../secret", "out-by-docs");
    tree.link("..", "parent");
    tree.link("../root/top", "out-and-in");
    tree.link("../..", "docs/far");
    tree.link((tree.directory / "secret").string(), "absolute");
    tree.link((tree.root() / "top").string(), "absolute-inside");
    tree.link("/", "slash");
    tree.link("/proc/self/root", "proc");
    tree.link("nowhere", "dangling");
    tree.link("loop-b", "loop-a");
    tree.link("loop-a", "loop-b");
    tree.link("own", "own");
    tree.link("top/", "file-as-directory");
    tree.link("top/..", "file-as-directory-up");
    tree.link("top/.", "file-as-directory-dot");
    for (const std::string_view name : {"out",
                                        "out-by-docs",
                                        "parent",
                                        "parent/secret",
                                        "out-and-in",
                                        "docs/far",
                                        "docs/far/secret",
                                        "absolute",
                                        "absolute-inside",
                                        "slash",
                                        "slash/etc/passwd",
                                        "proc/etc/passwd",
                                        "dangling",
                                        "loop-a",
                                        "loop-b",
                                        "own",
                                        "own/x",
                                        "file-as-directory",
                                        "file-as-directory-up",
                                        "file-as-directory-dot"}) {
      CAPTURE(name);
      CHECK(get(*root, name) == not_found);
    }
  }

  SUBCASE("forty links are followed, forty-one are not") {
    for (int i = 1; i <= 41; ++i) tree.link(i == 1 ? "top" : "l" + std::to_string(i - 1), "l" + std::to_string(i));
    CHECK(get(*root, "l40") == "top");
    CHECK(get(*root, "l41") == not_found);
  }

  SUBCASE("a hundred directories deep, with descriptors for four") {
    std::string deep = "deep";
    std::string up = "..";
    for (int i = 0; i < 100; ++i) {
      deep += "/d";
      up += "/..";
    }
    std::filesystem::create_directories(tree.root() / deep);
    tree.directory.file("root/" + deep + "/leaf", "leaf");
    tree.link(up + "/top", deep + "/up");
    tree.link(up + "/../secret", deep + "/out");
    const DescriptorShortage shortage(4);
    CHECK(get(*root, deep + "/leaf") == "leaf");
    CHECK(get(*root, deep + "/up") == "top");
    CHECK(get(*root, deep + "/out") == not_found);
  }

  SUBCASE("FIFOs, sockets and devices are refused without being opened") {
    REQUIRE(::mkfifo((tree.root() / "fifo").c_str(), 0644) == 0);
    tree.link("fifo", "fifo-link");
    const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string socket_name = (tree.root() / "socket").string();
    REQUIRE(socket_name.size() < sizeof address.sun_path);
    std::memcpy(address.sun_path, socket_name.c_str(), socket_name.size());
    REQUIRE(::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    CHECK(get(*root, "fifo") == not_regular);
    CHECK(get(*root, "fifo-link") == not_regular);
    CHECK(get(*root, "socket") == not_regular);
    CHECK(get(*root, "fifo/x") == not_found);
    CHECK(names(list(*root, "")) == "docs/ top ");
    ::close(listener);
    // Devices can be made by few; everybody has some here, and no disk or tape among them.
    const auto devices = open_root("/dev", options);
    CHECK(get(*devices, "null") == not_regular);
    CHECK(get(*devices, "zero") == not_regular);
  }

  SUBCASE("dot-files are hidden, unless they are to be served") {
    std::filesystem::create_directories(tree.root() / ".git/refs");
    tree.directory.file("root/.env", "key");
    tree.directory.file("root/.git/config", "config");
    tree.directory.file("root/docs/.draft", "draft");
    tree.directory.file("root/..dots", "dots");
    for (const std::string_view name : {".env", ".git", ".git/config", ".git/refs", "docs/.draft", "..dots"}) {
      CAPTURE(name);
      CHECK(get(*root, name) == not_found);
    }
    CHECK(names(list(*root, "")) == "docs/ top ");
    CHECK(names(list(*root, "docs")) == "deep/ page ");
    CHECK(root->list(".git", [](const DirectoryEntry&) { return true; }).error() == StorageError::not_found);

    DocumentRootOptions with_hidden = options;
    with_hidden.hidden = true;
    const auto all = open_root(tree.root(), with_hidden);
    CHECK(get(*all, ".env") == "key");
    CHECK(get(*all, ".git/config") == "config");
    CHECK(get(*all, "docs/.draft") == "draft");
    CHECK(get(*all, "..dots") == "dots");
    CHECK(names(list(*all, "")) == "..dots .env .git/ docs/ top ");
    CHECK(names(list(*all, ".git")) == "config refs/ ");
    for (const std::string_view name : {".", "..", "../secret", "docs/..", ".git/../top"}) {
      CAPTURE(name);
      CHECK(get(*all, name) == not_found);
    }
  }

  SUBCASE("names of any bytes") {
    for (const std::string name : {"with space", "per%2Fcent", "back\\slash", "tab\tnew\nline", "\xff\xfe not text",
                                   "\xc3\xa9", "-rf", "*", "~", "a.b", "trailing.", "\x01\x7f"}) {
      CAPTURE(name);
      tree.directory.file("root/docs/" + name, "any");
      CHECK(get(*root, "docs/" + name) == "any");
      CHECK(list(*root, "docs").contains(name));
    }
  }

  SUBCASE("list tells kinds, sizes and times, and resolves links by the same rules") {
    tree.link("top", "link-in");
    tree.link("docs", "link-directory");
    tree.link("../secret", "link-out");
    tree.link("/etc/passwd", "link-absolute");
    tree.link("nowhere", "link-dangling");
    tree.link("link-loop", "link-loop");
    tree.link("../../top", "docs/deep/up");
    const Listing listing = list(*root, "");
    CHECK(names(listing) == "docs/ link-directory/ link-in top ");
    CHECK(listing.at("top").size == 3);
    CHECK(listing.at("link-in").size == 3);
    CHECK(listing.at("docs").size == 0);
    struct stat status;
    REQUIRE(::stat((tree.root() / "top").c_str(), &status) == 0);
    CHECK(listing.at("top").modified_ns == status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec);
    CHECK(listing.at("link-in").modified_ns == listing.at("top").modified_ns);
    CHECK(names(list(*root, "docs/deep")) == "er/ up ");
    CHECK(names(list(*root, "link-directory")) == "deep/ page ");
    CHECK(names(list(*root, "docs/deep/er")) == "leaf ");
  }

  SUBCASE("list refuses files and names that are not there, and stops when asked to") {
    const auto count_all = [](const DirectoryEntry&) { return true; };
    CHECK(root->list("top", count_all).error() == StorageError::not_a_directory);
    CHECK(root->list("none", count_all).error() == StorageError::not_found);
    CHECK(root->list("top/x", count_all).error() == StorageError::not_found);
    CHECK(root->list("..", count_all).error() == StorageError::not_found);
    CHECK(root->list(".", count_all).error() == StorageError::not_found);
    CHECK(root->list("docs/", count_all).error() == StorageError::not_found);
    int visited = 0;
    CHECK(root->list("", [&](const DirectoryEntry&) { return ++visited < 1; }));
    CHECK(visited == 1);
    CHECK_THROWS_AS(static_cast<void>(root->list("", [](const DirectoryEntry&) -> bool { throw 1; })), int);
    // Once more from the start: a listing keeps no position.
    CHECK(names(list(*root, "")) == "docs/ top ");
  }

  SUBCASE("without descriptors it says so, and works again afterwards") {
    tree.link("top", "link");
    const std::string too_many = "<too many open files>";
    for (const int spare : {0, 1}) {
      CAPTURE(spare);
      const DescriptorShortage shortage(spare);
      CHECK(get(*root, "top") == too_many);
      CHECK(root->list("", [](const DirectoryEntry&) { return true; }).error() == StorageError::too_many_descriptors);
    }
    {
      // Enough to read the directory, not enough to look at where the link leads.
      const DescriptorShortage shortage(2);
      CHECK(root->list("", [](const DirectoryEntry&) { return true; }).error() == StorageError::too_many_descriptors);
    }
    CHECK(get(*root, "top") == "top");
    CHECK(names(list(*root, "")) == "docs/ link top ");
  }

  SUBCASE("without permission it says so") {
    REQUIRE(::chmod(tree.directory.path().c_str(), 0755) == 0);
    REQUIRE(::chmod((tree.root() / "top").c_str(), 0) == 0);
    REQUIRE(::chmod((tree.root() / "docs/deep").c_str(), 0) == 0);
    {
      const WithoutPrivileges nobody;
      CHECK(get(*root, "top") == "<permission denied>");
      CHECK(get(*root, "docs/deep/er/leaf") == "<permission denied>");
      CHECK(root->list("docs/deep", [](const DirectoryEntry&) { return true; }).error() ==
            StorageError::permission_denied);
      CHECK(get(*root, "docs/page") == "page");
    }
    REQUIRE(::chmod((tree.root() / "docs/deep").c_str(), 0755) == 0);
  }

  SUBCASE("a file put in the place of another is found, the open one stays") {
    const auto before = root->open_file("top").value();
    std::filesystem::rename(tree.directory.file("new", "new"), tree.root() / "top");
    CHECK(get(*root, "top") == "new");
    CHECK(root->open_file("top").value()->version() != before->version());
    CHECK(before->current_version().value().inode == before->version().inode);
  }

  SUBCASE("the root itself may be moved") {
    std::filesystem::rename(tree.root(), tree.directory / "moved");
    CHECK(get(*root, "docs/page") == "page");
    std::filesystem::rename(tree.directory / "moved", tree.root());
  }

  SUBCASE("directories swapped for links that lead out, while names are resolved") {
    // The secret must never be seen, whatever the moment. Both orders of the swap are atomic exchanges.
    std::filesystem::create_directories(tree.root() / "a/b/c");
    tree.directory.file("root/a/b/c/leaf", "leaf");
    tree.directory.file("leaf", "outside");
    std::filesystem::create_directories(tree.directory / "c");
    tree.directory.file("c/leaf", "outside");
    tree.link("../..", "a/swap");
    tree.link("b/c/../../b/c/leaf", "a/around");
    std::atomic<bool> stop = false;
    std::thread swapper([&] {
      const std::string b = (tree.root() / "a/b").string();
      const std::string swap = (tree.root() / "a/swap").string();
      while (!stop) ::syscall(SYS_renameat2, AT_FDCWD, b.c_str(), AT_FDCWD, swap.c_str(), 2U /* RENAME_EXCHANGE */);
    });
    int outside = 0;
    int inside = 0;
    for (int i = 0; i < 4000; ++i) {
      for (const std::string_view name : {"a/b/c/leaf", "a/around"}) {
        const std::string contents = get(*root, name);
        outside += contents == "outside" ? 1 : 0;
        inside += contents == "leaf" ? 1 : 0;
      }
    }
    stop = true;
    swapper.join();
    CHECK(outside == 0);
    CHECK(inside > 0);
  }
}

TEST_CASE("openat2 is used where the kernel has it") {
  const Tree tree;
  // The probe of the test and that of the root must agree.
  struct {
    std::uint64_t flags, mode, resolve;
  } how{O_PATH | O_CLOEXEC, 0, 0x08 /* RESOLVE_BENEATH */};
  const long descriptor = ::syscall(SYS_openat2, AT_FDCWD, ".", &how, sizeof how);
  const bool available = descriptor >= 0;
  if (available) ::close(static_cast<int>(descriptor));
  CHECK(open_root(tree.root(), {})->uses_fallback() == !available);
}

TEST_CASE("where openat2 is refused the fallback takes over, and it shows") {
  const Tree tree;
  tree.link("docs/page", "link");
  tree.link("../secret", "out");
  for (const unsigned error : {unsigned{ENOSYS}, unsigned{EPERM}}) {
    CAPTURE(error);
    CHECK(with_openat2_refused(error, [&] {
      const auto root = DocumentRoot::open(tree.root(), {});
      return root && (*root)->uses_fallback() && get(**root, "docs/page") == "page" && get(**root, "link") == "page" &&
             get(**root, "out") == not_found && get(**root, "docs/../../secret") == not_found;
    }));
    // Refused only after the root was opened: a filter may come later.
    const auto opened_before = open_root(tree.root(), {});
    CHECK(with_openat2_refused(error, [&] {
      return get(*opened_before, "link") == "page" && get(*opened_before, "out") == not_found &&
             opened_before->uses_fallback();
    }));
  }
}

TEST_CASE("opening a root that cannot be one") {
  const DescriptorLeakCheck leaks;
  const TemporaryDirectory directory;
  CHECK(DocumentRoot::open(directory / "none", {}).error() == StorageError::not_found);
  CHECK(DocumentRoot::open(directory.file("file", "") / "beneath", {}).error() == StorageError::not_found);
  CHECK(DocumentRoot::open("", {}).error() == StorageError::not_found);
  CHECK(DocumentRoot::open("/dev/null", {}).error() == StorageError::not_a_regular_file);
  REQUIRE(::mkfifo((directory / "fifo").c_str(), 0644) == 0);
  CHECK(DocumentRoot::open(directory / "fifo", {}).error() == StorageError::not_a_regular_file);
  {
    const DescriptorShortage shortage(0);
    CHECK(DocumentRoot::open(directory.path(), {}).error() == StorageError::too_many_descriptors);
  }
  const auto through_link = directory / "link";
  std::filesystem::create_directory_symlink(directory.path(), through_link);
  CHECK(get(*open_root(through_link, {}), "fifo") == not_regular);
}

TEST_CASE("a single file is a root with that one name") {
  const DescriptorLeakCheck leaks;
  const TemporaryDirectory directory;
  directory.file("other", "other");
  const auto path = directory.file(".one", "one");
  const auto root = open_root(path, {});
  CHECK(root->single_file() == ".one");  // named by the operator, so not hidden
  CHECK_FALSE(root->uses_fallback());
  CHECK(get(*root, ".one") == "one");
  for (const std::string_view name : {"", "other", "./.one", "/.one", ".one/", "..", ".on", ".one2"}) {
    CAPTURE(name);
    CHECK(get(*root, name) == not_found);
  }
  const Listing listing = list(*root, "");
  CHECK(names(listing) == ".one ");
  CHECK(listing.at(".one").size == 3);
  const auto all = [](const DirectoryEntry&) { return true; };
  CHECK(root->list(".one", all).error() == StorageError::not_a_directory);
  CHECK(root->list("other", all).error() == StorageError::not_found);

  SUBCASE("replaced by rename, the new one is served") {
    std::filesystem::rename(directory.file("new", "newer"), path);
    CHECK(get(*root, ".one") == "newer");
    CHECK(list(*root, "").at(".one").size == 5);
  }
  SUBCASE("removed, it is not found and the list is empty") {
    std::filesystem::remove(path);
    CHECK(get(*root, ".one") == not_found);
    CHECK(list(*root, "").empty());
  }
  SUBCASE("replaced by a FIFO, it is refused without waiting") {
    std::filesystem::remove(path);
    REQUIRE(::mkfifo(path.c_str(), 0644) == 0);
    CHECK(get(*root, ".one") == not_regular);
    CHECK(list(*root, "").empty());
  }
  SUBCASE("named by a relative path without a directory") {
    const auto before = std::filesystem::current_path();
    std::filesystem::current_path(directory.path());
    const auto relative = open_root("other", {});
    std::filesystem::current_path(before);
    CHECK(relative->single_file() == "other");
    CHECK(get(*relative, "other") == "other");
  }
}
