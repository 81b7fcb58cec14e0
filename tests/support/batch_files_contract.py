"""What every BatchFiles does. Test modules subclass the contract and provide the fixture `files`."""

import pytest

from upcall.domain.errors import NotFound
from upcall.use_cases.interfaces import BatchFiles

CONTENT = b"0123456789"
LARGE = 20_000_000
"""Bytes of an object that takes several parts."""


class BatchFilesContract:
    def test_an_object_is_read_as_it_was_written(self, files: BatchFiles) -> None:
        files.write_file("a/b.txt", CONTENT, "text/plain")

        assert files.open_file("a/b.txt").read() == CONTENT

    def test_an_object_is_replaced(self, files: BatchFiles) -> None:
        files.write_file("a", CONTENT, "text/plain")
        files.write_file("a", b"new", "text/plain")

        assert files.open_file("a").read() == b"new"

    def test_an_object_without_content_is_read(self, files: BatchFiles) -> None:
        files.write_file("a", b"", "text/plain")

        assert files.open_file("a").read() == b""
        assert list(files.open_file("a")) == []

    @pytest.mark.parametrize(
        ("offset", "content"), [(0, CONTENT), (9, b"9"), (10, b""), (11, b""), (5_000, b"")]
    )
    def test_an_object_is_read_from_an_offset_on(
        self, files: BatchFiles, offset: int, content: bytes
    ) -> None:
        files.write_file("a", CONTENT, "text/plain")

        assert files.open_file("a", offset).read() == content

    @pytest.mark.parametrize(
        ("offset", "length", "content"),
        [
            (0, 10, CONTENT),
            (3, 2, b"34"),
            (8, 100, b"89"),
            (10, 1, b""),
            (100, 5, b""),
            (0, 0, b""),
            (4, 0, b""),
        ],
    )
    def test_a_range_has_as_many_bytes_as_there_are(
        self, files: BatchFiles, offset: int, length: int, content: bytes
    ) -> None:
        files.write_file("a", CONTENT, "text/plain")

        assert files.read_range("a", offset, length) == content

    def test_an_object_that_does_not_exist_is_not_found(self, files: BatchFiles) -> None:
        with pytest.raises(NotFound, match="there is no object 'missing'"):
            files.open_file("missing")
        with pytest.raises(NotFound, match="there is no object 'missing'"):
            files.read_range("missing", 0, 1)

    @pytest.mark.parametrize("key", ["ä 😀", "a+b&c=d?e#f", "%20", "../x", "a//b"])
    def test_a_key_may_have_any_characters(self, files: BatchFiles, key: str) -> None:
        files.write_file(key, CONTENT, "text/plain")

        assert files.open_file(key).read() == CONTENT
        assert files.read_range(key, 1, 2) == b"12"

    def test_an_object_that_is_written_piece_by_piece_exists_at_the_end(self, files: BatchFiles) -> None:
        with files.create_file("a") as file:
            file.write(b"one\n")
            file.write(b"")
            file.write(b"two\n")
            with pytest.raises(NotFound):
                files.open_file("a")

        assert list(files.open_file("a")) == [b"one\n", b"two\n"]

    def test_an_object_of_no_pieces_is_empty(self, files: BatchFiles) -> None:
        with files.create_file("a"):
            pass

        assert files.open_file("a").read() == b""

    def test_an_object_whose_writer_fails_does_not_exist(self, files: BatchFiles) -> None:
        def write() -> None:
            with files.create_file("a") as file:
                file.write(CONTENT)
                raise ValueError("stop")

        with pytest.raises(ValueError, match="stop"):
            write()
        with pytest.raises(NotFound):
            files.open_file("a")

    def test_a_large_object_is_written_and_read_in_order(self, files: BatchFiles) -> None:
        lines = [f"{number:09}\n".encode() for number in range(LARGE // 10)]
        with files.create_file("a") as file:
            for number in range(0, len(lines), 1000):
                file.write(b"".join(lines[number : number + 1000]))

        assert sum(1 for _ in files.open_file("a")) == len(lines)
        assert next(iter(files.open_file("a", LARGE - 10))) == lines[-1]
        middle = LARGE // 2
        assert files.read_range("a", middle, 20) == b"".join(lines[middle // 10 : middle // 10 + 2])
