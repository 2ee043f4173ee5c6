// Run by `npm version`: what is under "Unreleased" in the changelog becomes what this version
// brings.
import { readFileSync, writeFileSync } from 'node:fs';

const HEADING = '## Unreleased\n';
const changelog = readFileSync('CHANGELOG.md', 'utf8');
const [before, after = '', ...others] = changelog.split(HEADING);
const [changes = ''] = after.split(/^## /m);
if (changes.trim() === '' || others.length > 0) {
  console.error('CHANGELOG.md: expected changes under one heading "## Unreleased"');
  process.exit(1);
}
const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
const today = new Date().toISOString().slice(0, 10);
writeFileSync('CHANGELOG.md', `${before}${HEADING}\n## ${version} (${today})\n${after}`);
