// See ctl/render.h.
#include "ctl/render.h"

#include <gtest/gtest.h>

namespace sftpfs::ctl {
namespace {

Report sample() {
  Report report;
  report.source = "joe@host:/data";
  report.mountpoint = "/mnt/data";
  report.state = "connected";
  report.dirty_bytes = 3 << 20;
  report.counters.bytes_read = 1000;
  SessionReport session;
  session.state = "ready";
  session.connections = 1;
  session.server = "host";
  session.round_trip_ms = 20;
  report.sessions.push_back(session);
  return report;
}

TEST(Render, PutsNamesOfServersOnTheScreenWithoutTheirControlCharacters) {
  Report report = sample();
  report.source = "host:/\x1b[2J";
  report.message = "line\nbreak";
  for (const std::string& text : {render_status(report), render_list({report}),
                                  render_prometheus({report}), render_top(report, report, 1)}) {
    EXPECT_EQ(text.find('\x1b'), std::string::npos);
    EXPECT_EQ(text.find("line\nbreak"), std::string::npos);
  }
}

TEST(Render, PrometheusHasTypeAndHelpOfEachMetricOnce) {
  const std::string text = render_prometheus({sample(), sample()});
  const std::string type = "# TYPE sftpfs_bytes_read_total counter\n";
  ASSERT_NE(text.find(type), std::string::npos);
  EXPECT_EQ(text.find(type), text.rfind(type));
  EXPECT_NE(text.find("sftpfs_bytes_read_total{mountpoint=\"/mnt/data\",source=\"joe@host:/data\"} "
                      "1000\n"),
            std::string::npos);
}

TEST(Render, PrometheusLabelsAreQuoted) {
  Report report = sample();
  report.mountpoint = "/mnt/a\"b\\c";
  EXPECT_NE(render_prometheus({report}).find("mountpoint=\"/mnt/a\\\"b\\\\c\""), std::string::npos);
}

TEST(Render, TopShowsRatesBetweenTwoReports) {
  const Report before = sample();
  Report now = before;
  now.counters.bytes_read += 4 << 20;
  now.cache.hits = 3;
  now.cache.loads = 1;
  const std::string text = render_top(before, now, 2);
  EXPECT_NE(text.find("2.0 MiB/s"), std::string::npos) << text;
  EXPECT_NE(text.find("75 % hits"), std::string::npos) << text;
}

TEST(Render, ADaemonThatStartedAgainShowsNoNegativeRates) {
  Report before = sample();
  before.counters.bytes_read = 1 << 30;
  EXPECT_EQ(render_top(before, sample(), 1).find('-'), std::string::npos);
}

TEST(Render, LinesAreCutAtTheWidthOfTheTerminal) {
  EXPECT_EQ(cut_lines("12345678\n123\n", 5), "12345\n123\n");
  EXPECT_EQ(cut_lines("a\xc3\xa4o\xc3\xbc!\n", 4), "a\xc3\xa4o\xc3\xbc\n");
  EXPECT_EQ(cut_lines("12345678\n", 0), "12345678\n");
}

TEST(Render, SizesAndTimesArePeoples) {
  EXPECT_EQ(backlog_text(Backlog{17, 0}), "17 B");
  EXPECT_EQ(backlog_text(Backlog{0, 3}), "3 changes of names");
  EXPECT_EQ(backlog_text(Backlog{1536, 3}), "1.5 KiB and 3 changes of names");
  EXPECT_EQ(backlog_of({{"dirty_bytes", "x"}}).any(), false);
  EXPECT_EQ(human_bytes(17), "17 B");
  EXPECT_EQ(human_bytes(1536), "1.5 KiB");
  EXPECT_EQ(human_time(3.21), "3.2 s");
  EXPECT_EQ(human_time(7500), "2h 05m");
  // Whatever a socket of somebody else's says.
  EXPECT_EQ(human_time(1e308), human_time(1e12));
}

TEST(ReportFormat, SurvivesTheWayThroughJson) {
  const nlohmann::json value = sample();
  const Result<Report> back = read_as<Report>(value);
  ASSERT_TRUE(back);
  EXPECT_EQ(nlohmann::json(*back), value);
}

TEST(ReportFormat, OfAnotherShapeIsRefusedAndOfAnotherVersionRead) {
  EXPECT_FALSE(read_as<Report>({{"pid", "text"}}));
  EXPECT_FALSE(read_as<Report>("text"));
  EXPECT_FALSE(read_as<Report>({{"pid", 1.8e19}}));
  EXPECT_FALSE(read_as<Report>({{"inodes", -1.5}}));
  EXPECT_FALSE(read_as<Report>({{"sessions", {{{"index", 1e12}}}}}));
  const Result<Report> sparse = read_as<Report>({{"pid", 7}, {"news", 1}});
  ASSERT_TRUE(sparse);
  EXPECT_EQ(sparse->pid, 7);
}

}  // namespace
}  // namespace sftpfs::ctl
