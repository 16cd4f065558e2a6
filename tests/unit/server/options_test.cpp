#include "server/options.hpp"

#include "server/config_settings.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace ranged::server {
namespace {

using namespace std::chrono_literals;

/// The world around a command line.
struct Surroundings {
  std::map<std::string, std::string> environment;
  std::map<std::string, std::string> files;
  Machine machine{2, 20'000, 0, 0};

  ParseOutcome operator()(std::vector<const char*> arguments) const {
    arguments.insert(arguments.begin(), "ranged");
    return parse_command_line(arguments, lookup(), reader(), machine);
  }
  [[nodiscard]] Environment lookup() const {
    return [this](const std::string& name) -> std::optional<std::string> {
      const auto found = environment.find(name);
      if (found == environment.end()) return std::nullopt;
      return found->second;
    };
  }
  [[nodiscard]] FileReader reader() const {
    return [this](const std::string& path) -> boost::system::result<std::string> {
      const auto found = files.find(path);
      if (found == files.end()) return make_error_code(boost::system::errc::no_such_file_or_directory);
      return found->second;
    };
  }
};

/// A configuration that comes from a file of this text.
ParseOutcome with_file(const std::string& text) {
  Surroundings surroundings;
  surroundings.files["r.json"] = text;
  return surroundings({"-c", "r.json"});
}

Config served(const ParseOutcome& outcome) {
  CAPTURE(outcome.error);
  REQUIRE(outcome.action == Action::serve);
  REQUIRE(outcome.config);
  CHECK(outcome.error.empty());
  return *outcome.config;
}

void check_refused(const ParseOutcome& outcome, int code, const std::string& error) {
  CHECK(outcome.action == Action::fail);
  CHECK_FALSE(outcome.config);
  CHECK(outcome.exit_code == code);
  CHECK(outcome.error == error);
  CHECK(outcome.error.find('\n') == std::string::npos);
}

TEST_CASE("nothing given: the defaults") {
  Config expected;
  expected.resolved = resolve(expected, Machine{2, 20'000, 0, 0});
  CHECK(served(Surroundings{}({})) == expected);
  CHECK(expected.roots == std::vector<RootConfig>{{"", "."}});
  CHECK(expected.listen.front().to_string() == "127.0.0.1:8080");
  CHECK(expected.pool_size == 67'108'864);
  CHECK(expected.page_size == 65'536);
  CHECK(expected.stale_after == 1s);
  CHECK(expected.max_window == 1'048'576);
  CHECK(expected.max_ranges == 256);
  CHECK(expected.drain_timeout == 30s);
  CHECK(expected.header_timeout == 10s);
  CHECK(expected.idle_timeout == 60s);
  CHECK(expected.send_timeout == 60s);
  CHECK(expected.access_log == "off");
}

TEST_CASE("paths on the command line are the roots") {
  const Surroundings world;
  CHECK(served(world({"/srv/data"})).roots == std::vector<RootConfig>{{"", "/srv/data"}});
  CHECK(served(world({"a=/srv/a", "b=/srv/b=c"})).roots == std::vector<RootConfig>{{"a", "/srv/a"}, {"b", "/srv/b=c"}});
  CHECK(served(world({"one=/srv/a"})).roots == std::vector<RootConfig>{{"one", "/srv/a"}});
  CHECK(served(world({"./a=b"})).roots == std::vector<RootConfig>{{"", "./a=b"}});
  CHECK(served(world({"[x]"})).roots == std::vector<RootConfig>{{"", "[x]"}});
  CHECK(served(world({"[x,y]"})).roots == std::vector<RootConfig>{{"", "[x,y]"}});
  CHECK(served(world({"\x01[x]"})).roots == std::vector<RootConfig>{{"", "\x01[x]"}});
  CHECK(served(world({"--", "--help"})).roots == std::vector<RootConfig>{{"", "--help"}});
  CHECK(served(world({"--hidden", "/srv"})).roots == std::vector<RootConfig>{{"", "/srv"}});
  CHECK(served(world({"--roots", "a=/x", "b=/y"})).roots == std::vector<RootConfig>{{"a", "/x"}, {"b", "/y"}});
  CHECK(served(world({"gr\xc3\xbc\xc3\x9f"
                      "e=/x"}))
            .roots == std::vector<RootConfig>{{"gr\xc3\xbc\xc3\x9f"
                                               "e",
                                               "/x"}});
}

TEST_CASE("each kind of flag") {
  const Config config = served(Surroundings{}({"-l",
                                               "[::1]:0",
                                               "--listen=unix:/run/r.sock",
                                               "--hidden",
                                               "--huge-pages=false",
                                               "--pool-size",
                                               "128MiB",
                                               "--page-size=1MiB",
                                               "--threads",
                                               "4",
                                               "--log-level=debug",
                                               "--log-format",
                                               "json",
                                               "--access-log",
                                               "-",
                                               "--stale-after",
                                               "0",
                                               "--cache-control",
                                               "",
                                               "--cors-origins",
                                               "https://A.example:8443",
                                               "--cors-origins",
                                               "*",
                                               "--allowed-hosts",
                                               "Files.Example.org",
                                               "--retry-after",
                                               "2m"}));
  CHECK(config.listen.size() == 2);
  CHECK(config.listen[0] == ListenAddress{ListenAddress::Kind::tcp6, "::1", 0, ""});
  CHECK(config.listen[1] == ListenAddress{ListenAddress::Kind::unix_socket, "", 0, "/run/r.sock"});
  CHECK(config.hidden);
  CHECK_FALSE(config.huge_pages);
  CHECK(config.pool_size == 134'217'728);
  CHECK(config.page_size == 1'048'576);
  CHECK(config.threads == 4);
  CHECK(config.resolved.threads == 4);
  CHECK(config.log_level == LogLevel::debug);
  CHECK(config.log_format == LogFormat::json);
  CHECK(config.access_log == "-");
  CHECK(config.stale_after == 0s);
  CHECK(config.cache_control.empty());
  CHECK(config.cors_origins == std::vector<std::string>{"https://a.example:8443", "*"});
  CHECK(config.allowed_hosts == std::vector<std::string>{"files.example.org"});
  CHECK(config.retry_after == 120s);
}

TEST_CASE("flags come before the environment, the environment before the file, the file before the defaults") {
  Surroundings world;
  world.files["r.json"] = R"({"threads": 1, "max_ranges": 10, "disk_threads": 20, "listen": ["127.0.0.1:1"]})";
  world.environment["RANGED_CONFIG"] = "r.json";
  world.environment["RANGED_THREADS"] = "2";
  world.environment["RANGED_MAX_RANGES"] = "11";
  const Config config = served(world({"--threads", "3", "--listen", "127.0.0.1:2"}));
  CHECK(config.threads == 3);
  CHECK(config.max_ranges == 11);
  CHECK(config.disk_threads == 20);
  CHECK(config.max_waiters == 16'384);
  // Lists replace, they do not add up.
  REQUIRE(config.listen.size() == 1);
  CHECK(config.listen.front().port == 2);
}

TEST_CASE("--config comes before RANGED_CONFIG") {
  Surroundings world;
  world.files["a.json"] = R"({"threads": 1})";
  world.files["b.json"] = R"({"threads": 2})";
  world.environment["RANGED_CONFIG"] = "a.json";
  CHECK(served(world({})).threads == 1);
  CHECK(served(world({"--config", "b.json"})).threads == 2);
}

TEST_CASE("every setting can be given by flag, variable and file, and means the same") {
  // A value that is not the default, for each key.
  const std::map<std::string, std::string> samples{{"roots", "./elsewhere"},
                                                   {"hidden", "true"},
                                                   {"stale_after", "250ms"},
                                                   {"open_files", "7"},
                                                   {"listen", "127.0.0.1:99"},
                                                   {"allowed_hosts", "h.example"},
                                                   {"cors_origins", "https://o.example"},
                                                   {"sendfile", "false"},
                                                   {"cache_control", "max-age=60"},
                                                   {"auth_basic_file", "/a/htpasswd"},
                                                   {"auth_token_file", "/a/tokens"},
                                                   {"auth_roots", "data"},
                                                   {"auth_open_metrics", "true"},
                                                   {"tls_certificate", "/a/certificate.pem"},
                                                   {"tls_key", "/a/key.pem"},
                                                   {"pool_size", "256MiB"},
                                                   {"page_size", "128KiB"},
                                                   {"huge_pages", "false"},
                                                   {"threads", "3"},
                                                   {"disk_threads", "5"},
                                                   {"disk_queue", "77"},
                                                   {"max_loads", "9"},
                                                   {"max_waiters", "88"},
                                                   {"max_scans", "7"},
                                                   {"max_window", "2MiB"},
                                                   {"max_ranges", "66"},
                                                   {"max_connections", "55"},
                                                   {"max_connections_per_client", "44"},
                                                   {"header_timeout", "1s"},
                                                   {"idle_timeout", "2s"},
                                                   {"send_timeout", "3s"},
                                                   {"pool_wait_timeout", "4s"},
                                                   {"retry_after", "5s"},
                                                   {"drain_timeout", "6s"},
                                                   {"log_level", "error"},
                                                   {"log_format", "json"},
                                                   {"access_log", "/a/log"},
                                                   {"access_log_format", "combined"},
                                                   {"sandbox", "on"}};
  REQUIRE(samples.size() == settings().size());
  // What these say makes no sense without another setting (refused below, in a test of their own).
  const std::set<std::string_view> dependent{"auth_roots", "tls_key"};
  const Config defaults = served(Surroundings{}({}));
  for (const Setting& setting : settings()) {
    if (dependent.contains(setting.key)) continue;
    CAPTURE(setting.key);
    const std::string& sample = samples.at(std::string(setting.key));
    const std::string flag = flag_of(setting) + '=' + sample;
    const Config by_flag = served(Surroundings{}({flag.c_str()}));
    CHECK_FALSE(same_value(setting, by_flag, defaults));
    for (const Setting& other : settings()) {
      if (other.key != setting.key) CHECK(same_value(other, by_flag, defaults));
    }
    Surroundings world;
    world.environment[environment_of(setting)] = sample;
    CHECK(served(world({})) == by_flag);

    const nlohmann::json value = value_of(setting, by_flag);
    CHECK(served(with_file("{\"" + std::string(setting.key) + "\": " + value.dump() + "}")) == by_flag);
  }
}

TEST_CASE("a setting that is of no use without another is refused, and taken with it") {
  const Surroundings world;
  check_refused(world({"--tls-key", "/a/key.pem"}), 78,
                R"(tls_key "/a/key.pem" (flag --tls-key) is of no use without tls_certificate; both would do)");
  CHECK(served(world({"--tls-key", "/a/key.pem", "--tls-certificate", "/a/certificate.pem"})).tls_key == "/a/key.pem");
  CHECK(served(world({"--auth-roots", "data", "--auth-token-file", "/a/tokens", "data=."})).auth_roots ==
        std::vector<std::string>{"data"});
}

TEST_CASE("a variable that is set but empty is not set") {
  Surroundings world;
  world.environment["RANGED_POOL_SIZE"] = "";
  world.environment["RANGED_CONFIG"] = "";
  world.environment["RANGED_PORT"] = "tcp://10.0.0.1:80";
  CHECK(served(world({})).pool_size == 67'108'864);
}

TEST_CASE("lists in a variable: between commas, or an array") {
  Surroundings world;
  world.environment["RANGED_LISTEN"] = "[::1]:80,127.0.0.1:81";
  CHECK(served(world({})).listen.size() == 2);
  world.environment["RANGED_LISTEN"] = R"(["unix:/a,b", "127.0.0.1:81"])";
  CHECK(served(world({})).listen[0].path == "/a,b");
  world.environment["RANGED_LISTEN"] = "127.0.0.1:80,";
  check_refused(world({}), 78,
                R"(listen "127.0.0.1:80," (variable RANGED_LISTEN) is not an address to listen on; )"
                "127.0.0.1:8080, [::1]:8080 or unix:/path would do");
}

TEST_CASE("a command line that is not understood is a usage error") {
  const Surroundings world;
  check_refused(world({"--pool-sise", "1MiB"}), 2, R"(unknown flag "--pool-sise"; --pool-size would do)");
  check_refused(world({"--pool_size=1MiB"}), 2, R"(unknown flag "--pool_size"; --pool-size would do)");
  check_refused(world({"-x"}), 2, R"(unknown flag "-x"; one that ranged --help lists would do)");
  check_refused(world({"--pool-size"}), 2, "--pool-size: 1 required TEXT missing; ranged --help lists what would do");
  check_refused(world({"--threads", "1", "--threads", "2"}), 2, "--threads is given 2 times; once would do");
  check_refused(world({"-c", "a", "-c", "b"}), 2, "--config is given more than once; once would do");
  check_refused(world({"--healthcheck", "a", "--healthcheck", "b"}), 2,
                "--healthcheck is given more than once; once would do");
  CHECK(world({"--bad\nflag"}).error.find('\n') == std::string::npos);
}

TEST_CASE("a bad value on the command line names flag, value and what would do") {
  const Surroundings world;
  check_refused(
      world({"--pool-size", "64MB"}), 2,
      R"(pool_size "64MB" (flag --pool-size) is not a size (B, KiB, MiB, GiB, TiB); 64KiB to 16TiB would do)");
  check_refused(world({"--pool-size", "1"}), 2,
                R"(pool_size "1" (flag --pool-size) is out of bounds; 64KiB to 16TiB would do)");
  check_refused(world({"--pool-size", "99999999999TiB"}), 2,
                R"(pool_size "99999999999TiB" (flag --pool-size) is out of bounds; 64KiB to 16TiB would do)");
  check_refused(world({"--page-size", "48KiB"}), 2,
                R"(page_size "48KiB" (flag --page-size) is not a power of two; 32KiB or 64KiB would do)");
  check_refused(world({"--page-size", "2KiB"}), 2,
                R"(page_size "2KiB" (flag --page-size) is out of bounds; 4KiB to 4MiB would do)");
  check_refused(world({"--page-size", "8MiB"}), 2,
                R"(page_size "8MiB" (flag --page-size) is out of bounds; 4KiB to 4MiB would do)");
  check_refused(world({"--threads", "-1"}), 2,
                R"(threads "-1" (flag --threads) is not a whole number; 0 to 1024 would do)");
  check_refused(world({"--threads", "1.5"}), 2,
                R"(threads "1.5" (flag --threads) is not a whole number; 0 to 1024 would do)");
  check_refused(world({"--threads", "99999999999999999999"}), 2,
                R"(threads "99999999999999999999" (flag --threads) is out of bounds; 0 to 1024 would do)");
  check_refused(world({"--idle-timeout", "30"}), 2,
                R"(idle_timeout "30" (flag --idle-timeout) is not a duration (ms, s, m, h); 100ms to 24h would do)");
  check_refused(world({"--idle-timeout", "0"}), 2,
                R"(idle_timeout "0" (flag --idle-timeout) is out of bounds; 100ms to 24h would do)");
  check_refused(world({"--idle-timeout", "999999h"}), 2,
                R"(idle_timeout "999999h" (flag --idle-timeout) is out of bounds; 100ms to 24h would do)");
  check_refused(world({"--hidden=perhaps"}), 2,
                R"(hidden "perhaps" (flag --hidden) is neither true nor false; one of them would do)");
  check_refused(
      world({"--log-level", "loud"}), 2,
      R"(log_level "loud" (flag --log-level) is not a known one; trace, debug, info, warning, error or off would do)");
  check_refused(world({"--access-log", ""}), 2,
                R"(access_log "" (flag --access-log) is empty; "off", "-" or the path of a file would do)");
  check_refused(
      world({"--cache-control", "a\r\nX: y"}), 2,
      R"(cache_control "a\r\nX: y" (flag --cache-control) is not a field value of printable ASCII; "no-cache" would do)");
  check_refused(
      world({"--allowed-hosts", "a:80"}), 2,
      R"(allowed_hosts "a:80" (flag --allowed-hosts) is not a host name without a port; "files.example.org" would do)");
  for (const char* bad :
       {"a.example", "https://a/b", "https://", "null", "https://a example", "*.example", "://a", ""}) {
    CAPTURE(bad);
    CHECK(world({"--cors-origins", bad}).exit_code == 2);
  }
  for (const char* bad :
       {"", "80", ":80", "*:80", "a.example:80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1",
        "127.1:80", "::1:80", "[::1]", "[]:80", "[127.0.0.1]:80", "127.0.0.1:80 ", "[fe80::1%eth0]:80"}) {
    CAPTURE(bad);
    CHECK(world({"--listen", bad}).exit_code == 2);
  }
  check_refused(
      world({"--listen", "unix:"}), 2,
      R"(listen "unix:" (flag --listen) is not a path of 1 to 107 bytes; unix:/run/ranged/ranged.sock would do)");
  const std::string longest = "unix:/" + std::string(106, 'x');
  CHECK(served(world({"--listen", longest.c_str()})).listen.front().path.size() == 107);
  CHECK(world({"--listen", (longest + 'x').c_str()}).exit_code == 2);
  for (const char* bad : {"=x", ".a=x", "..=x", "a\xff=x", "a\x80=x", "a\n=x", "\xed\xa0\x80=x", "a=", ""}) {
    CAPTURE(bad);
    CHECK(world({bad}).exit_code == 2);
  }
  const std::string long_value(200, 'x');
  CHECK(world({"--threads", long_value.c_str()}).error ==
        "threads \"" + std::string(76, 'x') + "... (flag --threads) is not a whole number; 0 to 1024 would do");
}

TEST_CASE("the same address in another spelling is the same address") {
  CHECK(served(Surroundings{}({"--listen", "[0:0::0:1]:80"})).listen.front().host == "::1");
  CHECK(served(Surroundings{}({"--listen", "localhost:80"})).listen.front().host == "127.0.0.1");
}

TEST_CASE("a bad value in the environment is a configuration error") {
  Surroundings world;
  world.environment["RANGED_PAGE_SIZE"] = "100KiB";
  check_refused(world({}), 78,
                R"(page_size "100KiB" (variable RANGED_PAGE_SIZE) is not a power of two; 64KiB or 128KiB would do)");
}

TEST_CASE("a bad file names the file, the line, the key, the value and what would do") {
  check_refused(Surroundings{}({"-c", "none.json"}), 78,
                R"(config "none.json" cannot be read: No such file or directory; a readable file would do)");
  check_refused(with_file("{\n  // no such thing\n  \"pool_sise\": 1\n}"), 78,
                R"(r.json:3: unknown key "pool_sise"; "pool_size" would do)");
  check_refused(with_file("{\"Pool-Size\": 1}"), 78, R"(r.json:1: unknown key "Pool-Size"; "pool_size" would do)");
  check_refused(with_file("{\"something_else_entirely\": 1}"), 78,
                R"(r.json:1: unknown key "something_else_entirely"; one that ranged --help names would do)");
  check_refused(with_file("{\n\"threads\": \"two\"}"), 78,
                R"(r.json:2: threads "two" is not a whole number; 0 to 1024 would do)");
  check_refused(with_file("{\"threads\": -1}"), 78, "r.json:1: threads -1 is out of bounds; 0 to 1024 would do");
  check_refused(with_file("{\"threads\": 2.0}"), 78, "r.json:1: threads 2.0 is not a whole number; 0 to 1024 would do");
  check_refused(with_file("{\"threads\": null}"), 78,
                "r.json:1: threads null is not a whole number; 0 to 1024 would do");
  check_refused(with_file("{\"threads\": 1e999}"), 78,
                "r.json: holds a number that is out of all bounds; a smaller one would do");
  check_refused(with_file("{\"hidden\": \"true\"}"), 78,
                R"(r.json:1: hidden "true" is neither true nor false; one of them would do)");
  check_refused(with_file("{\"pool_size\": true}"), 78,
                "r.json:1: pool_size true is not a size (B, KiB, MiB, GiB, TiB); 64KiB to 16TiB would do");
  check_refused(with_file("{\"idle_timeout\": 30}"), 78,
                "r.json:1: idle_timeout 30 is not a duration (ms, s, m, h); 100ms to 24h would do");
  check_refused(with_file("{\"listen\": \"127.0.0.1:80\"}"), 78,
                R"(r.json:1: listen "127.0.0.1:80" is not a list of texts; an array of them would do)");
  check_refused(with_file("{\"listen\": [1]}"), 78,
                "r.json:1: listen [1] is not a list of texts; an array of them would do");
  check_refused(with_file("{\"listen\": [\"127.0.0.1:80\", \"x\"]}"), 78,
                R"(r.json:1: listen ["127.0.0.1:80","x"] "x" is not an address to listen on; )"
                "127.0.0.1:8080, [::1]:8080 or unix:/path would do");
  check_refused(with_file("{\"cache_control\": 1}"), 78,
                "r.json:1: cache_control 1 is not a text; one in quotes would do");
  check_refused(with_file("{\"log_level\": 1}"), 78,
                "r.json:1: log_level 1 is not a known one; trace, debug, info, warning, error or off would do");
  check_refused(with_file("{\"roots\": [\"a\\u0000b\"]}"), 78,
                R"(r.json:1: roots ["a\u0000b"] has no path; PATH or NAME=PATH would do)");
  check_refused(with_file("{\n\"threads\": 1,\n\"threads\": 2}"), 78,
                "r.json:3: threads is given twice; once would do");
  check_refused(with_file("{\n\"thr\\u0065ads\": 1,\n\"threads\": 2}"), 78,
                "r.json:3: threads is given twice; once would do");
  check_refused(with_file("[]"), 78, "r.json:1: is not a JSON object; {} would do");
  check_refused(
      with_file(""), 78,
      "r.json:1: is not JSON at this place; a comma, quote or bracket that is missing or one too many would be usual");
  check_refused(
      with_file("{\n\"threads\": 1\n\"max_ranges\": 2}"), 78,
      "r.json:3: is not JSON at this place; a comma, quote or bracket that is missing or one too many would be usual");
}

TEST_CASE("a file may hold comments, and keys within values are no keys") {
  const Config config =
      served(with_file("\xef\xbb\xbf// \"threads\": 9\n{ /* \"threads\": 8,\n */ \"$schema\": \"x\",\n"
                       "  \"roots\": [\"a=/x // y\", \"b=/\\\"threads\\\": 7\"], // \"threads\": 6\n"
                       "  \"threads\": 5 /**/ }// end"));
  CHECK(config.threads == 5);
  CHECK(config.roots == std::vector<RootConfig>{{"a", "/x // y"}, {"b", "/\"threads\": 7"}});
}

TEST_CASE("sizes in the file are texts or numbers of bytes") {
  CHECK(served(with_file(R"({"pool_size": 134217728})")).pool_size == 134'217'728);
  CHECK(served(with_file(R"({"pool_size": "134217728"})")).pool_size == 134'217'728);
}

TEST_CASE("sums that cannot be are refused, naming what would do") {
  Surroundings world;
  check_refused(
      world({"--pool-size", "1MiB"}), 78,
      R"(pool_size "1MiB" (flag --pool-size) holds 16 pages of 64KiB, too few for threads 1, each with 5 pages pinned, )"
      "and max_loads 1 (4 times their sum); pool_size 2MiB would do");
  CHECK(served(world({"--pool-size", "2MiB"})).resolved.threads == 1);

  check_refused(
      world({"--threads", "64"}), 78,
      R"(pool_size "64MiB" (default) holds 1024 pages of 64KiB, too few for threads 64, each with 5 pages pinned, )"
      "and max_loads 32 (4 times their sum); pool_size 88MiB or threads 44 would do");
  CHECK(served(world({"--threads", "64", "--pool-size", "88MiB"})).threads == 64);
  CHECK(world({"--threads", "64", "--pool-size", "87MiB"}).exit_code == 78);
  CHECK(served(world({"--threads", "44"})).threads == 44);
  CHECK(world({"--threads", "45"}).exit_code == 78);

  check_refused(
      world({"--max-loads", "300", "--threads", "2"}), 78,
      R"(pool_size "64MiB" (default) holds 1024 pages of 64KiB, too few for threads 2, each with 5 pages pinned, )"
      "and max_loads 300 (4 times their sum); pool_size 78MiB or max_loads 246 would do");
  CHECK(served(world({"--max-loads", "246", "--threads", "2"})).max_loads == 246);
  CHECK(world({"--max-loads", "247", "--threads", "2"}).exit_code == 78);

  check_refused(
      world({"--disk-queue", "16"}), 78,
      "disk_queue 16 (flag --disk-queue) is shorter than the 32 page loads that may be in flight; 32 or more would do");
  check_refused(
      world({"--max-connections", "19969"}), 78,
      "max_connections 19969 (flag --max-connections) is more than the limit of 20000 descriptors (ulimit -Hn) allows; "
      "19968 or a higher limit would do");
  CHECK(served(world({"--max-connections", "19968"})).max_connections == 19'968);
  check_refused(world({"/a", "b=/b"}), 78,
                R"(roots ["/a","b=/b"] (argument) has several members, and "/a" has no name; "NAME=/a" would do)");
  check_refused(world({"a=/a", "a=/b"}), 78,
                R"(roots ["a=/a","a=/b"] (argument) has the name "a" twice; another name would do)");
  check_refused(world({"-l", "127.0.0.1:80", "-l", "localhost:80"}), 78,
                R"(listen ["127.0.0.1:80","127.0.0.1:80"] (flag --listen) has 127.0.0.1:80 twice; once would do)");
  CHECK(served(world({"-l", "127.0.0.1:0", "-l", "127.0.0.1:0"})).listen.size() == 2);
  check_refused(with_file(R"({"listen": []})"), 78, R"(listen [] (r.json:1) is empty; ["127.0.0.1:8080"] would do)");
  check_refused(with_file(R"({"roots": []})"), 78, R"(roots [] (r.json:1) is empty; ["."] would do)");

  world.machine.memory_limit = 64 << 20;
  check_refused(world({}), 78,
                R"(pool_size "64MiB" (default) and 16MiB beside it exceed the control group's memory limit of 64MiB; )"
                "48MiB or a higher limit would do");
  CHECK(served(world({"--pool-size", "48MiB"})).pool_size == 48 << 20);
  world.machine.memory_limit = 8 << 20;
  CHECK(world({}).error.ends_with("memory limit of 8MiB; a higher limit would do"));
}

TEST_CASE("the defaults start on every machine") {
  for (const unsigned cores : {0U, 1U, 2U, 3U, 16U, 64U, 512U, 4096U}) {
    for (const std::size_t descriptors :
         {std::size_t{0}, std::size_t{1}, std::size_t{64}, std::size_t{1024}, std::size_t{1} << 20}) {
      Surroundings world;
      world.machine = {cores, descriptors, 0};
      CHECK(world({}).action == Action::serve);
      for (const char* page :
           {"4KiB", "8KiB", "16KiB", "32KiB", "64KiB", "128KiB", "256KiB", "512KiB", "1MiB", "2MiB", "4MiB"}) {
        CAPTURE(page);
        CHECK(world({"--page-size", page}).action == Action::serve);
      }
      CHECK(world({"--pool-size", "16MiB"}).action == Action::serve);
    }
  }
}

TEST_CASE("what ends at once: help, version, schema, health") {
  const Surroundings world;
  const ParseOutcome help = world({"--help"});
  CHECK(help.action == Action::print);
  CHECK(help.exit_code == 0);
  for (const Setting& setting : settings()) {
    CAPTURE(setting.key);
    CHECK(help.output.find(' ' + flag_of(setting)) != std::string::npos);
    CHECK(help.output.find(setting.help) != std::string::npos);
  }
  for (const char* flag : {"--config", "--check-config", "--print-config", "--print-config-schema", "--healthcheck",
                           "--version", "--help"}) {
    CHECK(help.output.find(flag) != std::string::npos);
  }
  CHECK(world({"-h"}).output == help.output);
  CHECK(world({"--version"}).output == "ranged " + std::string(version()) + "\n");
  CHECK_FALSE(version().empty());
  CHECK(world({"--print-config-schema"}).output == render_schema());
  const ParseOutcome health = world({"--healthcheck", "http://127.0.0.1:8080/healthz"});
  CHECK(health.action == Action::healthcheck);
  CHECK(health.healthcheck_url == "http://127.0.0.1:8080/healthz");
  // Neither looks at the configuration, which may be another daemon's.
  CHECK(world({"--healthcheck", "x", "-c", "none.json"}).action == Action::healthcheck);
  CHECK(world({"--version", "-c", "none.json"}).action == Action::print);
}

TEST_CASE("--check-config says that all is well, or what is not") {
  const Surroundings world;
  const ParseOutcome good = world({"--check-config"});
  CHECK(good.action == Action::check);
  CHECK(good.exit_code == 0);
  CHECK(good.output == "ranged: the configuration is in order\n");
  CHECK(world({"--check-config", "--pool-size", "1MiB"}).exit_code == 78);
}

TEST_CASE("--print-config is a configuration file, and says where each value is from") {
  Surroundings world;
  world.files["r.json"] = "{\n\"max_ranges\": 9}";
  world.environment["RANGED_THREADS"] = "3";
  const std::vector<const char*> arguments{"-c", "r.json", "--pool-size", "100MiB", "x=/srv/a\nb", "y=/srv"};
  const Config config = served(world(arguments));
  std::vector<const char*> printing = arguments;
  printing.push_back("--print-config");
  const ParseOutcome printed = world(printing);
  CHECK(printed.action == Action::print);
  CHECK(printed.output.find("\"pool_size\": \"100MiB\",  // flag --pool-size\n") != std::string::npos);
  CHECK(printed.output.find("\"threads\": 3,  // variable RANGED_THREADS\n") != std::string::npos);
  CHECK(printed.output.find("\"max_ranges\": 9,  // r.json:2\n") != std::string::npos);
  CHECK(printed.output.find("\"page_size\": \"64KiB\",  // default\n") != std::string::npos);
  CHECK(printed.output.find("\"max_loads\": 0,  // default, here 32\n") != std::string::npos);
  CHECK(printed.output.find("],  // argument\n") != std::string::npos);
  CHECK(served(with_file(printed.output)) == config);
}

TEST_CASE("reload reads everything again") {
  Surroundings world;
  world.files["r.json"] = R"({"max_ranges": 9})";
  const std::vector<const char*> arguments{"ranged", "-c", "r.json", "--threads", "2"};
  const Config running = *reload_config(arguments, world.lookup(), world.reader(), world.machine).config;
  CHECK(running.max_ranges == 9);

  world.files["r.json"] =
      R"({"max_ranges": 10, "pool_size": "128MiB", "max_connections": 100, "roots": ["a=/a", "b=/b"]})";
  const ReloadOutcome reloaded = reload_config(arguments, world.lookup(), world.reader(), world.machine);
  REQUIRE(reloaded.config);
  CHECK(reloaded.error.empty());
  CHECK(keys_needing_restart(running, *reloaded.config) == std::vector<std::string_view>{"pool_size"});
  const Config merged = merge_reloadable(running, *reloaded.config);
  CHECK(merged.max_ranges == 10);
  CHECK(merged.pool_size == running.pool_size);
  CHECK(merged.roots == reloaded.config->roots);
  CHECK(merged.resolved.frames == running.resolved.frames);
  CHECK(merged.resolved.max_connections == 100);
  CHECK(keys_needing_restart(running, merged).empty());

  world.files["r.json"] = R"({"max_ranges": 0})";
  const ReloadOutcome refused = reload_config(arguments, world.lookup(), world.reader(), world.machine);
  CHECK_FALSE(refused.config);
  CHECK(refused.error == "r.json:1: max_ranges 0 is out of bounds; 1 to 1024 would do");
}

TEST_CASE("what only a restart can change is named") {
  std::set<std::string_view> keys;
  for (const Setting& setting : settings()) {
    if (setting.needs_restart) keys.insert(setting.key);
  }
  CHECK(keys == std::set<std::string_view>{"listen", "pool_size", "page_size", "huge_pages", "threads", "disk_threads",
                                           "disk_queue", "max_loads", "max_waiters", "max_scans", "access_log",
                                           "access_log_format", "sandbox"});
}

TEST_CASE("the reader of files reads files, and no more than a configuration can be") {
  const FileReader read = disk_file_reader();
  const std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("ranged-options-" + std::to_string(::getpid()));
  std::string content((std::size_t{1} << 20) - 1, 'x');
  for (std::size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>('a' + i % 26);
  std::ofstream(path) << content;
  CHECK(read(path.string()).value() == content);
  std::ofstream(path) << content << "y";
  CHECK(read(path.string()).value() == content + "y");
  std::ofstream(path) << content << "yz";
  CHECK(read(path.string()).error() == boost::system::errc::file_too_large);
  std::filesystem::remove(path);
  CHECK(read(path.string()).error() == boost::system::errc::no_such_file_or_directory);
  CHECK(read("/").error() == boost::system::errc::is_a_directory);
  // Nobody writes into this one; the reader must not wait for somebody.
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  CHECK(read(path.string()).value().empty());
  std::filesystem::remove(path);
}

TEST_CASE("the environment is the process's") {
  REQUIRE(::setenv("RANGED_TEST_VARIABLE", "value", 1) == 0);
  CHECK(process_environment()("RANGED_TEST_VARIABLE") == "value");
  REQUIRE(::unsetenv("RANGED_TEST_VARIABLE") == 0);
  CHECK_FALSE(process_environment()("RANGED_TEST_VARIABLE"));
}

}  // namespace
}  // namespace ranged::server
