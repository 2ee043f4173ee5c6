// Run before `npm version` and `npm publish`: what only the maintainers know is filled in. npm
// refuses provenance for a package that does not name the repository it is built from.
import { readFileSync } from 'node:fs';

/** Reserved for names that are nobody's: https://www.rfc-editor.org/rfc/rfc6761#section-6.4 */
const PLACEHOLDER = 'example.invalid';
const FIELDS = ['author', 'bugs', 'homepage', 'repository'];

const manifest = JSON.parse(readFileSync('package.json', 'utf8'));
const open = FIELDS.filter((field) => {
  const text = JSON.stringify(manifest[field] ?? '');
  return text === '""' || text.includes(PLACEHOLDER);
});
if (open.length > 0) {
  console.error(
    `package.json: fill in ${open.join(', ')} before a release; "${PLACEHOLDER}" is a placeholder`,
  );
  process.exit(1);
}
