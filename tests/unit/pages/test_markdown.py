"""Pages as Markdown: what a program that reads Markdown shows is what the page holds, whatever names are like."""

import re

from hypothesis import assume, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from perfcast.pages import Cell, Column, Figure, Page, Row, Section, Table, text_row, write_markdown
from perfcast.pages.markdown import markdown
from perfcast.text import escape_control

NAMES = st.text(min_size=1, max_size=40) | st.text(alphabet="\\`*_{}[]()#+-.!|<>~&$@ ;a1\n", min_size=1, max_size=40)
PLAIN = {"text", "text_special", "softbreak"}
READER = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def shown(text):
    """The texts of a document's blocks, and which marks it has."""
    inline = [token for token in READER.parse(text) if token.type == "inline"]
    texts = ["".join(child.content for child in token.children if child.type in PLAIN) for token in inline]
    kinds = {token.type for token in READER.parse(text)} | {child.type for token in inline for child in token.children}
    return texts, kinds - PLAIN


def page_of(name):
    table = Table(name, (Column(name, numeric=False), Column("n")), (text_row(name, "-1"),))
    figure = Figure("f", name, name, caption=name)
    section = Section("key", name, (name,), (table,), (figure,), (name,))
    return Page(name, lead=name, facts=((name, name),), sections=(section,))


@given(NAMES)
def test_a_name_is_shown_as_it_is(name):
    clean = escape_control(" ".join(name.split()))
    assume(clean)
    texts, kinds = shown(markdown(page_of(name)))
    usual_texts, usual_kinds = shown(markdown(page_of("name")))
    assert kinds == usual_kinds
    assert texts == [text.replace("name", clean) for text in usual_texts]


def test_tables_keep_their_rows_and_the_page_has_the_rest():
    rows = tuple(Row((Cell(f"model|{number}"), Cell(str(number), strong=True))) for number in range(60))
    text = markdown(Page("x", sections=(Section("s", "S", tables=(Table("All", (Column("m"), Column("n")), rows),)),)))
    assert "| model\\|49 | **49** |" in text
    assert "model\\|50" not in text
    assert "10 more rows in the page." in text


def test_page_with_its_own_template_is_written_from_its_sentences():
    table = Table("Cap", (Column("a"),), (), empty="Nothing.")
    page = Page("Title", others=(Figure("f", "Drawn", "alt"), Figure("g", "Not drawn", "alt", missing="No data.")))
    text = markdown(page, ("1. a sentence", table))
    assert "1\\. a sentence\n\n**Cap**: Nothing.\n\nFigure: **Drawn.** alt\n\n**Not drawn.** No data.\n" in text


def test_links_to_images_are_relative_to_the_file(tmp_path):
    page = Page("x", others=(Figure("f", "Drawn", "Bars [a].", caption="Look."),))
    path = tmp_path / "out" / "x.md"
    write_markdown(path, page, images={"f": tmp_path / "my figures" / "f.png"})
    assert "![Bars \\[a\\].](../my%20figures/f.png)\n\n**Drawn.** Look.\n" in path.read_text()
    assert not re.search(re.escape(str(tmp_path)), path.read_text())
