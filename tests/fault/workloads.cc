// See workloads.h.
#include "fault/workloads.h"

#include <sys/stat.h>
#include <unistd.h>

#include <functional>
#include <map>

#include "support/temp_dir.h"
#include "support/test_error.h"

namespace sftpfs::test {

namespace {

std::size_t copy_size() { return full_run() ? std::size_t{256} << 20 : std::size_t{16} << 20; }

std::string run_name(int number) { return "run" + std::to_string(number); }

// Runs a programme; empty if it went well, else what it said.
std::string complaint_of(const Arguments& arguments, const ProcessOptions& options = {}) {
  const Outcome outcome = run(arguments, options);
  return outcome.ok() ? "" : arguments[0] + ": " + outcome.describe() + "\n";
}

void must_run(const Arguments& arguments, const ProcessOptions& options = {}) {
  const std::string complaint = complaint_of(arguments, options);
  if (!complaint.empty()) throw TestError(complaint);
}

// Every run in a directory of its own, which is made on the server.
class ScenicWorkload : public Workload {
 public:
  explicit ScenicWorkload(FaultScene& scene) : scene_(scene) {}
  std::string check(int number) final {
    std::string wrong = find_fault(number);
    if (wrong.empty()) remove_tree(on_server(number));
    return wrong;
  }

 protected:
  virtual std::string find_fault(int number) = 0;
  std::string make_directory(int number) {
    must(::mkdir(on_server(number).c_str(), 0755), "mkdir");
    return on_mount(number);
  }
  std::string on_mount(int number) const { return scene_.on_mount(run_name(number)); }
  std::string on_server(int number) const { return scene_.on_server(run_name(number)); }

  FaultScene& scene_;
  TempDir local_;
};

class CopyUp : public ScenicWorkload {
 public:
  explicit CopyUp(FaultScene& scene) : ScenicWorkload(scene) {
    write_file(local_.file("source"), noise(copy_size(), fault_seed()));
  }
  Process start(int number) override {
    return Process({"cp", local_.file("source"), make_directory(number) + "/file"});
  }

 private:
  std::string find_fault(int number) override {
    return complaint_of({"cmp", local_.file("source"), on_server(number) + "/file"});
  }
};

class CopyDown : public ScenicWorkload {
 public:
  explicit CopyDown(FaultScene& scene) : ScenicWorkload(scene) {
    write_file(scene.on_server("source"), noise(copy_size(), fault_seed()));
  }
  Process start(int number) override {
    // Another name is another file here, of which nothing is cached.
    const std::string directory = make_directory(number);
    must(::link(scene_.on_server("source").c_str(), (on_server(number) + "/file").c_str()), "link");
    return Process({"cp", directory + "/file", local_.file("copy")});
  }

 private:
  std::string find_fault(int /*number*/) override {
    std::string wrong = complaint_of({"cmp", scene_.on_server("source"), local_.file("copy")});
    ::unlink(local_.file("copy").c_str());
    return wrong;
  }
};

class Tar : public ScenicWorkload {
 public:
  explicit Tar(FaultScene& scene) : ScenicWorkload(scene) {
    const std::string what = full_run() ? "include" : "include/linux/netfilter";
    must_run({"tar", "-C", "/usr", "-cf", local_.file("archive"), what});
    local_.make_dir("tree");
    must_run({"tar", "-C", local_.file("tree"), "-xf", local_.file("archive")});
  }
  Process start(int number) override {
    return Process({"tar", "-C", make_directory(number), "-xf", local_.file("archive")});
  }

 private:
  std::string find_fault(int number) override {
    // Contents and links; then modes, owners and times.
    return complaint_of(
               {"diff", "-r", "--no-dereference", local_.file("tree"), on_server(number)}) +
           complaint_of({"tar", "-C", on_server(number), "-df", local_.file("archive")});
  }
};

ProcessOptions git_options() {
  ProcessOptions options;
  options.environment = {"GIT_CONFIG_GLOBAL=/dev/null",
                         "GIT_CONFIG_NOSYSTEM=1",
                         "GIT_AUTHOR_NAME=Test",
                         "GIT_COMMITTER_NAME=Test",
                         "GIT_AUTHOR_EMAIL=test@example.invalid",
                         "GIT_COMMITTER_EMAIL=test@example.invalid",
                         "GIT_TERMINAL_PROMPT=0"};
  return options;
}

class GitClone : public ScenicWorkload {
 public:
  explicit GitClone(FaultScene& scene) : ScenicWorkload(scene) { make_repository(); }
  Process start(int number) override {
    return Process({"git", "clone", "-q", "--no-local", local_.file("source"),
                    make_directory(number) + "/clone"},
                   git_options());
  }

 private:
  std::string find_fault(int number) override {
    const std::string clone = on_server(number) + "/clone";
    const Arguments git{"git", "-c", "safe.directory=*", "-C", clone};
    Arguments fsck = git;
    fsck.insert(fsck.end(), {"fsck", "--strict", "--full"});
    Arguments status = git;
    status.insert(status.end(), {"status", "--porcelain"});
    std::string wrong = complaint_of(fsck, git_options());
    const Outcome clean = run(status, git_options());
    if (!clean.ok() || !clean.output.empty()) wrong += "git status: " + clean.describe() + "\n";
    return wrong + complaint_of({"diff", "-r", "--no-dereference", "-x", ".git",
                                 local_.file("source"), clone});
  }
  void make_repository() const {
    const int commits = full_run() ? 20 : 3;
    const int files = full_run() ? 60 : 20;
    const std::string path = local_.file("source");
    must_run({"git", "init", "-q", "-b", "main", path}, git_options());
    for (int commit = 0; commit < commits; ++commit) {
      for (int file = 0; file < files; ++file) {
        const std::string dir = path + "/dir" + std::to_string(file % 7);
        ::mkdir(dir.c_str(), 0755);
        const auto seed = static_cast<std::uint64_t>(commit * files + file);
        write_file(dir + "/file" + std::to_string(commit * 100 + file),
                   noise(static_cast<std::size_t>(file) * 997, seed));
      }
      must_run({"git", "-C", path, "add", "-A"}, git_options());
      must_run({"git", "-C", path, "commit", "-q", "-m", "commit"}, git_options());
    }
  }
};

// Each transaction adds to one row and writes another, so that a lost or a doubled one shows.
class Sqlite : public ScenicWorkload {
 public:
  using ScenicWorkload::ScenicWorkload;
  Process start(int number) override {
    ProcessOptions options = quiet();
    options.input =
        "CREATE TABLE sum(n INTEGER);\nINSERT INTO sum VALUES(0);\n"
        "CREATE TABLE t(id INTEGER PRIMARY KEY, body BLOB);\n";
    for (int i = 0; i < transactions(); ++i) {
      const std::string id = std::to_string(i);
      options.input += "BEGIN; INSERT INTO t VALUES(" + id + ", randomblob(1000 + 37 * " + id +
                       " % 9000)); UPDATE sum SET n = n + 1; COMMIT;\n";
    }
    return Process({"sqlite3", "-batch", "-bail", make_directory(number) + "/database"}, options);
  }

 private:
  static int transactions() { return full_run() ? 400 : 15; }
  static ProcessOptions quiet() {
    ProcessOptions options;
    options.environment = {"HOME=/nonexistent"};
    return options;
  }
  std::string find_fault(int number) override {
    const std::string wanted = std::to_string(transactions());
    const Outcome answer =
        run({"sqlite3", "-batch", "-bail", on_server(number) + "/database",
             "PRAGMA integrity_check; SELECT n FROM sum; SELECT count(*) FROM t;"},
            quiet());
    return answer.ok() && answer.output == "ok\n" + wanted + "\n" + wanted + "\n"
               ? ""
               : "sqlite3: " + answer.describe();
  }
};

template <class Kind>
std::unique_ptr<Workload> make(FaultScene& scene) {
  return std::make_unique<Kind>(scene);
}

}  // namespace

const std::vector<std::string>& workload_names() {
  static const std::vector<std::string> names{"copy_up", "copy_down", "tar", "git_clone", "sqlite"};
  return names;
}

std::unique_ptr<Workload> make_workload(const std::string& name, FaultScene& scene) {
  static const std::map<std::string, std::function<std::unique_ptr<Workload>(FaultScene&)>> makers{
      {"copy_up", make<CopyUp>},     {"copy_down", make<CopyDown>}, {"tar", make<Tar>},
      {"git_clone", make<GitClone>}, {"sqlite", make<Sqlite>},
  };
  return makers.at(name)(scene);
}

}  // namespace sftpfs::test
