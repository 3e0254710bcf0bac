"""What the elements of a page are, as a browser would see them."""

import html.parser


class PageParser(html.parser.HTMLParser):
    """Tags, scripts (attributes and text), styles, policy, title, links, and the numbers of a table's rows."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.scripts, self.styles, self.policy, self.title = [], [], [], "", ""
        self.links, self.rows, self.text = [], [], ""
        self._inside = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        fields = dict(attrs)
        self.tags.append(tag)
        self._inside = tag
        if fields.get("http-equiv") == "Content-Security-Policy":
            self.policy = fields["content"]
        if tag == "a":
            self.links.append(fields["href"])
        if tag == "tr":
            self.rows.append([])
        if "data-value" in fields:
            self.rows[-1].append(fields["data-value"])
        if tag == "style":
            self.styles.append("")
        if tag == "script":
            self.scripts.append([fields, ""])

    def handle_endtag(self, tag):
        self._inside = None

    def handle_data(self, data):
        self.text += data
        if self._inside == "script":
            self.scripts[-1][1] += data
        if self._inside == "style":
            self.styles[-1] += data
        if self._inside == "title":
            self.title += data
