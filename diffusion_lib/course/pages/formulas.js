// Formulas: LaTeX between dollars, and the other marks that Jupyter knows, is set by KaTeX.

(() => {
  const formula = /\$\$([\s\S]+?)\$\$|\\\[([\s\S]+?)\\\]|(\\begin\{(\w+\*?)\}[\s\S]+?\\end\{\4\})|\$((?:\\.|[^$\\])+?)\$|\\\(([\s\S]+?)\\\)/g;
  for (const place of document.querySelectorAll(".jp-RenderedMarkdown, .jp-RenderedLatex, .dl-contents")) {
    const walker = document.createTreeWalker(place, NodeFilter.SHOW_TEXT, {
      acceptNode: (node) => (node.parentElement.closest("code, pre, script, style") ? NodeFilter.FILTER_REJECT
        : NodeFilter.FILTER_ACCEPT),
    });
    const texts = [];
    while (walker.nextNode()) texts.push(walker.currentNode);
    for (const text of texts) {
      const pieces = [];
      let end = 0;
      for (const match of text.data.matchAll(formula)) {
        const display = match[1] ?? match[2] ?? match[3];
        const holder = document.createElement("span");
        katex.render(display ?? match[5] ?? match[6], holder, { displayMode: display !== undefined, throwOnError: false });
        pieces.push(text.data.slice(end, match.index), holder);
        end = match.index + match[0].length;
        // A comma or a full stop behind a formula stays with it: a browser may break the line between the two.
        const [mark] = text.data.slice(end).match(/^[.,;:!?)]+/) ?? [];
        const last = [...holder.querySelectorAll(".katex-html > .katex-base")].pop();
        if (display === undefined && mark && last) {
          const behind = document.createElement("span");
          behind.className = "dl-mark";
          behind.textContent = mark;
          last.append(behind);
          end += mark.length;
        }
      }
      if (pieces.length) text.replaceWith(...pieces, text.data.slice(end));
    }
  }
})();
