#!/usr/bin/env python3
"""scripts/check-layers on small trees that are right or wrong in one way each."""
import tempfile
import unittest
from pathlib import Path

from load_script import load_script

check = load_script('check-layers')

TREE = {
    'src/base/CMakeLists.txt': 'sftpfs_layer(base SOURCES log.cc LIBS fmt::fmt)',
    'src/base/log.h': '',
    'src/base/log.cc': '#include "base/log.h"\n#include <spdlog/spdlog.h>\n',
    'src/runtime/CMakeLists.txt': 'sftpfs_layer(runtime\n  SOURCES a.cc\n  DEPS base\n  LIBS x)',
    'src/runtime/loop.h': '#include "base/log.h"\n',
    'src/fs/CMakeLists.txt': 'sftpfs_layer(fs SOURCES a.cc DEPS base runtime)  # top',
    'src/fs/ops.cc': '#include "runtime/loop.h"\n#include <vector>\n',
    'src/fs/fuse/session.cc': '#include <fuse_lowlevel.h>\n',
    'src/app/CMakeLists.txt': 'add_executable(sftpfs main.cc)',
    'src/app/main.cc': '#include "fs/fuse/session.h"\n#include "base/log.h"\n',
    'src/fs/fuse/session.h': '#include "runtime/loop.h"\n',
}


def problems_of(changes):
    """What the check says about TREE with `changes` applied."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name, text in {**TREE, **changes}.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding='utf-8')
        layers = check.read_layers(root)
        found = check.check_graph(layers)
        for path in sorted((root / 'src').rglob('*')):
            if path.suffix in ('.h', '.cc'):
                found += check.check_file(path.relative_to(root).as_posix(),
                                          path.read_text(encoding='utf-8'), layers,
                                          lambda name: (root / name).is_file())
        return found


class Layers(unittest.TestCase):
    def assert_one(self, changes, words):
        found = problems_of(changes)
        self.assertEqual(len(found), 1, found)
        self.assertIn(words, found[0])

    def test_a_tree_that_follows_its_layers_passes(self):
        self.assertEqual(problems_of({}), [])

    def test_an_include_upwards_is_refused(self):
        self.assert_one({'src/base/log.h': '#include "runtime/loop.h"\n'}, 'layer base includes')

    def test_an_include_of_an_undeclared_lower_layer_is_refused(self):
        self.assert_one({'src/fs/CMakeLists.txt': 'sftpfs_layer(fs SOURCES a.cc DEPS runtime)',
                         'src/fs/ops.cc': '\n#include "base/log.h"\n'}, 'src/fs/ops.cc:2')

    def test_a_cycle_is_refused(self):
        self.assert_one({'src/base/CMakeLists.txt': 'sftpfs_layer(base SOURCES a.cc DEPS fs)'},
                        'cycle')

    def test_an_unknown_layer_is_refused(self):
        self.assert_one({'src/base/CMakeLists.txt': 'sftpfs_layer(base SOURCES a.cc DEPS nil)'},
                        'unknown layer nil')

    def test_a_relative_include_is_refused(self):
        self.assert_one({'src/fs/ops.cc': '#include "fuse/session.h"\n'}, 'no path below src/')

    def test_libfuse_belongs_to_its_folder(self):
        self.assert_one({'src/fs/ops.cc': '#include <fuse_lowlevel.h>\n'}, 'src/fs/fuse/')
        self.assert_one({'src/fs/ops.cc': '# include <fuse3/fuse.h>\n'}, 'src/fs/fuse/')

    def test_libssh2_belongs_to_ssh(self):
        self.assert_one({'src/fs/ops.cc': '#include <libssh2_publickey.h>\n'}, 'src/ssh/')

    def test_spdlog_belongs_to_the_logger(self):
        self.assert_one({'src/base/log.h': '#include <spdlog/spdlog.h>\n'}, 'src/base/log.cc')

    def test_a_folder_without_a_layer_is_refused(self):
        self.assert_one({'src/stray/a.cc': ''}, 'declares a layer')

    def test_no_layer_includes_the_programme(self):
        self.assert_one({'src/app/main.h': '', 'src/fs/ops.cc': '#include "app/main.h"\n'},
                        'belongs to no layer')


if __name__ == '__main__':
    unittest.main()
