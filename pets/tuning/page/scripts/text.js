// Words and numbers as the reader's language writes them. Catalogue texts hold {names}; *stars* mark what is bold.
const numberFormat = (options) => {
  const format = new Intl.NumberFormat(DATA.language, options);
  return (value) => format.format(value).replace("-", "\u2212");
};
const fixed = [0, 1, 2, 3].map((digits) =>
  numberFormat({ minimumFractionDigits: digits, maximumFractionDigits: digits }),
);
const asCount = fixed[0];
const asPlain = numberFormat({ maximumSignificantDigits: 6 });
const asSmall = numberFormat({ maximumSignificantDigits: 2, maximumFractionDigits: 20 });
const asThree = numberFormat({ maximumSignificantDigits: 3 });
const asTwo = numberFormat({ maximumSignificantDigits: 2 });

// An expected count keeps one decimal, a counted one none.
const asCases = (value) => (Number.isInteger(value) ? asCount(value) : fixed[1](value));

const asDecimal = (value) => (value >= 100 ? asCount(value) : value >= 0.95 ? fixed[1](value) : asTwo(value));

// A chance never claims to be certain: "<0.1 %" and ">99.9 %".
const asPercent = (share) => {
  const percent = 100 * share;
  if (percent === 0 || percent === 100) return `${asCount(percent)}\u202f%`;
  if (percent < 0.1) return `<${fixed[1](0.1)}\u202f%`;
  if (percent > 99.9 && percent < 100) return `>${fixed[1](99.9)}\u202f%`;
  return `${percent < 9.95 ? fixed[1](percent) : asCount(percent)}\u202f%`;
};

const ofHundred = (chance) => {
  const hundred = 100 * chance;
  if (hundred > 99.5 && hundred < 100) return `${DATA.texts.over} 99`;
  if (hundred > 0 && hundred < 0.5) return `${DATA.texts.under} 1`;
  return asCount(hundred);
};

const oneIn = (chance) => say("one_in", { n: asCount(1 / chance) });

const asRange = (low, high, write = asCount) => `${write(low)}\u2013${write(high)}`;

const fill = (text, values = {}) =>
  text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));

const say = (key, values) => fill(DATA.texts[key], values);

const pluralRules = new Intl.PluralRules(DATA.language);
const sayMany = (key, number, values) => {
  const forms = DATA.texts[key];
  return fill(forms[pluralRules.select(number)] ?? forms.other, { n: asCount(number), ...values });
};

// Fixed vocabulary comes as a key; free text comes in the page's language already.
const term = (key) => (Object.hasOwn(DATA.texts.terms, key) ? DATA.texts.terms[key] : key);
