// Bring 3Dmol.js ($3Dmol) into the page once the map has been drawn; reading it takes longer than all the rest.

/** Resolves when the browser has painted what was drawn so far; a page in the background is not painted, so waits no longer. */
function afterPaint() {
  return new Promise((resolve) => {
    requestAnimationFrame(() => setTimeout(resolve));
    setTimeout(resolve, 100);
  });
}

/** Run the library that the page carries packed, or that lies beside it; the policy allows this one text, or that place.
 * Where that fails there is no $3Dmol, which whyNo3D says; the rest of the page needs none. */
async function loadLibrary() {
  const carried = byId("library");
  if (!carried || typeof $3Dmol !== "undefined") return;
  const script = make("script");
  if (carried.dataset.source) {
    script.src = carried.dataset.source;
    await new Promise((resolve) => {
      script.onload = script.onerror = resolve;
      document.head.append(script);
    });
  } else {
    try {
      script.textContent = new TextDecoder().decode(await inflate(carried.textContent));
    } catch {
      return; // damaged
    }
    document.head.append(script); // runs at once
    carried.remove(); // a third of a megabyte of text
  }
}
