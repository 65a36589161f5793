// Draws props.value (DrawnMap.payload in map_view.py), and names the value of the pixel that the pointer is on.
const find = (name) => element.querySelector(name);
const figure = find("figure"), picture = find(".picture"), canvas = find("canvas");
const digits = new Intl.NumberFormat("en", {minimumSignificantDigits: 3, maximumSignificantDigits: 3});
const number = (value) => value === 0 ? "0" : digits.format(value);
let values = null;

function position(value) {
  const [low, high] = props.value.limits;
  return Math.min(Math.max((value - low) / Math.max(high - low, 1e-12), 0), 1);
}

function draw() {
  const map = props.value;
  figure.classList.toggle("empty", !map);
  values = null;
  if (!map) return;
  const bytes = Uint8Array.from(atob(map.values), (letter) => letter.charCodeAt(0));
  values = new Float32Array(bytes.buffer);
  // As wide as the column, unless it would be higher than the window.
  figure.style.width = `min(100%, ${70 * map.width / map.height}vh)`;
  canvas.width = map.width;
  canvas.height = map.height;
  const pixels = new ImageData(map.width, map.height), last = map.colours.length - 1;
  let below = false, above = false;
  values.forEach((value, index) => {
    // NaN and infinity are black: no colour bar has it.
    const colour = Number.isFinite(value) ? map.colours[Math.round(position(value) * last)] : [0, 0, 0];
    below ||= value < map.limits[0];
    above ||= value > map.limits[1];
    pixels.data.set([...colour, 255], 4 * index);
  });
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  const css = map.colours.map((colour) => `rgb(${colour.join()})`);
  find(".colours").style.background = `linear-gradient(to right, ${css.join()})`;
  for (const [name, some, side, colour] of [["below", below, "right", css[0]], ["above", above, "left", css[last]]]) {
    find(`.${name}`).classList.toggle("some", some);
    find(`.${name}`).style[`border-${side}-color`] = colour;
  }
  find(".title").replaceChildren(...map.words.flatMap(({text, strong}) => {
    const word = document.createElement(strong ? "strong" : "span");
    word.textContent = text;
    return [word, " "];
  }));
  find(".unit").textContent = map.unit;
  find(".low").textContent = (below ? "≤ " : "") + number(map.limits[0]);
  find(".high").textContent = (above ? "≥ " : "") + number(map.limits[1]);
  point(null);
}

function point(pixel) {
  figure.classList.toggle("pointed", Boolean(pixel && values));
  if (!pixel || !values) return;
  const map = props.value, value = values[pixel.row * map.width + pixel.column];
  if (value === undefined) return;
  const left = (pixel.column + 0.5) / map.width * 100, top = (pixel.row + 0.5) / map.height * 100;
  const label = find(".label");
  label.textContent = Number.isFinite(value) ? `${number(value)} ${map.unit}` : "unknown";
  find(".where").textContent = `row ${pixel.row * map.step}, column ${pixel.column * map.step}`;
  for (const part of [find(".cross"), label]) Object.assign(part.style, {left: `${left}%`, top: `${top}%`});
  label.style.transform = `translate(${left > 50 ? "calc(-100% - 12px)" : "12px"}, ${top > 50 ? "-120%" : "20%"})`;
  find(".mark").style.left = `${position(value) * 100}%`;
}

function announce(pixel) {
  window.dispatchEvent(new CustomEvent("tr2m-point", {detail: {group: props.group, pixel}}));
}

picture.addEventListener("pointermove", (event) => {
  if (!values) return;
  const box = canvas.getBoundingClientRect(), {width, height} = props.value;
  const column = Math.floor((event.clientX - box.left) / box.width * width);
  const row = Math.floor((event.clientY - box.top) / box.height * height);
  announce({row: Math.min(Math.max(row, 0), height - 1), column: Math.min(Math.max(column, 0), width - 1)});
});
picture.addEventListener("pointerleave", () => announce(null));
window.addEventListener("tr2m-point", ({detail}) => { if (detail.group === props.group) point(detail.pixel); });
watch("value", draw);
draw();
