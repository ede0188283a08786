export class LibraryPage { constructor() {} }
export function trackPage() {}
